//! `omni stats`

use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean};

pub(super) async fn run(client: &Client, out: Out) -> Result<(), Error> {
    let answer = client.get(&["api", "stats"], &[]).await?;
    out.answer(&answer, |stats| {
        stats.as_object().map(|counts| people(counts, 0).join("\n")).unwrap_or_default()
    })
}

/// Counts as the server names them, groups indented: a new count needs no change here.
fn people(members: &Map<String, Value>, depth: usize) -> Vec<String> {
    let width = members.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let indent = "  ".repeat(depth);
    let mut lines = Vec::new();
    for (name, value) in members {
        let title = clean(name);
        match value {
            Value::Object(group) if group.is_empty() => {}
            Value::Object(group) => {
                lines.push(format!("{indent}{}", title.bold()));
                lines.extend(people(group, depth + 1));
            }
            Value::Array(rows) => {
                lines.push(format!("{indent}{}", title.bold()));
                lines.extend(rows.iter().map(|row| format!("{indent}  {}", row_text(row))));
            }
            other => lines.push(format!("{indent}{title:width$}  {}", clean(&other.to_string()))),
        }
    }
    lines
}

/// A row such as `{"eventType": "a.b", "count": 3}`: numbers last.
fn row_text(row: &Value) -> String {
    let Value::Object(members) = row else {
        return clean(&row.to_string());
    };
    let (numbers, names): (Vec<_>, Vec<_>) = members.values().partition(|value| value.is_number());
    let words = names.into_iter().chain(numbers).map(|value| match value {
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    });
    words.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_and_rows_are_indented() {
        let stats = json!({ "events": 3, "outcomes": { "completed": 2, "failed": 1 },
                            "types": [{ "eventType": "a.b", "count": 3 }], "empty": {} });
        let text = anstream::adapter::strip_str(&people(stats.as_object().unwrap(), 0).join("\n"))
            .to_string();
        assert_eq!(text, "events    3\noutcomes\n  completed  2\n  failed     1\ntypes\n  a.b  3");
    }
}
