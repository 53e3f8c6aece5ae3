//! Printing. What came from outside never reaches a terminal as control characters, except in
//! `--output json`, which is the server's answer byte for byte.

use std::fmt::{Display, Write as _};
use std::io::Write;

use comfy_table::{Table, presets};
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Format;
use crate::client::Answer;
use crate::error::Error;

/// Standard output in the format that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    format: Format,
}

impl Out {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// Prints an answer; `people` writes it for people.
    pub(crate) fn answer(
        self,
        answer: &Answer,
        people: impl FnOnce(&Value) -> String,
    ) -> Result<(), Error> {
        match self.format {
            Format::Json => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&answer.body)?;
                Ok(stdout.write_all(b"\n")?)
            }
            Format::Yaml => {
                let yaml = serde_saphyr::to_string(&answer.value()?);
                let unfit = |error| Error::Answer {
                    what: format!("the answer cannot be written as YAML: {error}"),
                    place: answer.place.clone(),
                };
                line(yaml.map_err(unfit)?.trim_end())
            }
            Format::Table => line(people(&answer.value()?).trim_end()),
        }
    }
}

impl Out {
    /// Prints one of many documents that were made here, each on its own.
    pub(crate) fn event<T: Serialize>(
        self,
        document: &T,
        people: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        if self.format == Format::Yaml {
            line("---")?;
        }
        self.document(document, people)
    }

    /// Prints a document that was made here.
    pub(crate) fn document<T: Serialize>(
        self,
        document: &T,
        people: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        let unfit = |error: String| Error::Answer { what: error, place: "this program".to_owned() };
        match self.format {
            Format::Json => {
                let json = serde_json::to_string(document);
                line(json.map_err(|error| unfit(error.to_string()))?)
            }
            Format::Yaml => {
                let yaml = serde_saphyr::to_string(document);
                line(yaml.map_err(|error| unfit(error.to_string()))?.trim_end())
            }
            Format::Table => line(people(document).trim_end()),
        }
    }
}

/// Prints one line (or several) as it is; colours only where they are wanted.
pub(crate) fn line(text: impl Display) -> Result<(), Error> {
    Ok(writeln!(anstream::stdout().lock(), "{text}")?)
}

/// Columns under upper-case headers, no borders. `cells` are `(header, JSON Pointer)`.
pub(crate) fn table(columns: &[(&str, &str)], items: &[Value]) -> String {
    let rows = items.iter().map(|item| columns.iter().map(|(_, path)| text(item, path)).collect());
    grid(columns.iter().map(|(header, _)| *header), rows)
}

/// The same for rows that are made already.
pub(crate) fn grid<'a>(
    headers: impl Iterator<Item = &'a str>,
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headers.collect::<Vec<_>>());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut lines = table.lines().map(|line| line.trim_end().to_owned());
    let header = lines.next().map(|header| header.bold().to_string());
    header.into_iter().chain(lines).collect::<Vec<_>>().join(
        "
",
    )
}

/// A page of a list: its table, and how to see more.
pub(crate) fn page(columns: &[(&str, &str)], answer: &Value) -> String {
    let items = answer.pointer("/items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        return "nothing yet".dimmed().to_string();
    }
    let table = table(columns, items);
    match answer.pointer("/nextCursor").and_then(Value::as_str) {
        Some(cursor) => {
            format!("{table}\n{}", format!("more: --cursor {}", clean(cursor)).dimmed())
        }
        None => table,
    }
}

/// Lines of a title and its value; absent ones are left out.
pub(crate) fn card(rows: &[(&str, &str)], value: &Value) -> Vec<String> {
    let width = rows.iter().map(|(title, _)| title.len()).max().unwrap_or(0);
    rows.iter()
        .filter(|(_, path)| value.pointer(path).is_some_and(|value| !value.is_null()))
        .map(|(title, path)| {
            let space = " ".repeat(width - title.len() + 2);
            format!("{}{space}{}", title.bold(), text(value, path))
        })
        .collect()
}

/// The value at a JSON Pointer in words; `-` if there is none.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".into(),
        Some(Value::String(text)) => clean(text),
        Some(other) => clean(&other.to_string()),
    }
}

/// Several lines of JSON, indented, safe for a terminal.
pub(crate) fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// As [`pretty`], and still JSON: for what is written to files.
pub(crate) fn safe_json(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        // Outside of strings there is no other control character than the line end.
        if char.is_control() && char != '\n' {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(char));
        } else {
            safe.push(char);
        }
    }
    safe
}

/// A status in its colour: green went well, red did not, yellow is something between.
pub(crate) fn status(status: &str) -> String {
    let status = clean(status);
    match status.as_str() {
        "completed" | "success" | "succeeded" | "ok" => status.green().to_string(),
        "failed" | "error" | "refused" => status.red().to_string(),
        _ => status.yellow().to_string(),
    }
}

/// Control characters made visible: a payload must not be able to steer a terminal.
pub(crate) fn clean(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if char.is_control() {
            clean.extend(char.escape_default());
        } else {
            clean.push(char);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_table_has_upper_case_headers_and_no_borders() {
        let answer = json!({ "items": [{ "id": 1, "name": "a b" }, { "name": "\u{1b}[31m" }],
                             "nextCursor": "abc" });
        let text = plain(&page(&[("ID", "/id"), ("NAME", "/name")], &answer));
        assert_eq!(text, "ID  NAME\n1   a b\n-   \\u{1b}[31m\nmore: --cursor abc");
        assert_eq!(plain(&page(&[("ID", "/id")], &json!({ "items": [] }))), "nothing yet");
    }

    #[test]
    fn a_card_leaves_out_what_is_absent() {
        let value = json!({ "id": "x", "outcome": null, "n": { "deep": 3 } });
        let text = card(&[("id", "/id"), ("gone", "/outcome"), ("n", "/n/deep")], &value);
        assert_eq!(plain(&text.join("\n")), "id    x\nn     3");
    }

    #[test]
    fn what_goes_to_files_stays_json_and_steers_no_terminal() {
        let value = json!({ "pattern": "\u{9b}\u{1b}[2J\n" });
        let text = safe_json(&value);
        assert_eq!(text, "{\n  \"pattern\": \"\\u009b\\u001b[2J\\n\"\n}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(clean("a\tb\u{9b}c"), "a\\tb\\u{9b}c");
        assert_eq!(clean("grüße ✓"), "grüße ✓");
    }
}
