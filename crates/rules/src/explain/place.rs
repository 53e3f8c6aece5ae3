//! Where a value stands in an event, written as people write it: `payload.items[3].sku`.

use std::fmt::Write;

/// A step from a value into one that it holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Name(&'a str),
    Item(usize),
}

pub(super) fn written(steps: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Name(name) => push_name(&mut text, name),
            // Writing to a text cannot fail.
            Step::Item(item) => {
                let _ = write!(text, "[{item}]");
            }
        }
    }
    text
}

/// The names of a path with dots between them.
pub(crate) fn dotted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().fold(String::new(), |mut text, name| {
        push_name(&mut text, name);
        text
    })
}

/// A name that would be read as several is put in brackets.
fn push_name(text: &mut String, name: &str) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | ':' | '/');
    if !name.is_empty() && name.chars().all(plain) {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
    } else {
        let _ = write!(text, "[{}]", serde_json::Value::from(name));
    }
}
