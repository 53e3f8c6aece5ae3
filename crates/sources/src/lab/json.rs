//! JSON written again in the ways that other programs write it: member order and numbers as they came.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

/// A document whose members are in the order of the text.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A number, `true`, `false` or `null`, as it is written.
    Word(String),
    /// A text, decoded.
    Text(String),
    List(Vec<Node>),
    Members(Vec<(String, Node)>),
}

/// A way to write JSON.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one habit of a writer, and all go together"
)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// What a level is indented with; on one line without it.
    pub(super) indent: Option<&'static str>,
    /// A blank after `,` and `:` on one line, as Python writes.
    pub(super) spaced: bool,
    pub(super) sorted: bool,
    /// Whatever is not ASCII as `\u`.
    pub(super) ascii: bool,
    /// `/` as `\/`, as PHP writes.
    pub(super) slashes: bool,
}

/// Reads a document; `None` for what is no JSON.
pub(super) fn read(text: &[u8]) -> Option<Node> {
    // Checked first, which bounds the depth, too: what follows may take the text for what it says.
    serde_json::from_slice::<IgnoredAny>(text).ok()?;
    let mut rest = str::from_utf8(text).ok()?;
    node(&mut rest)
}

fn node(rest: &mut &str) -> Option<Node> {
    *rest = rest.trim_start();
    match rest.as_bytes().first()? {
        b'"' => text(rest).map(Node::Text),
        b'[' => {
            let mut items = Vec::new();
            list(rest, ']', |rest| {
                items.push(node(rest)?);
                Some(())
            })?;
            Some(Node::List(items))
        }
        b'{' => {
            let mut members = Vec::new();
            list(rest, '}', |rest| {
                *rest = rest.trim_start();
                let name = text(rest)?;
                *rest = rest.trim_start().strip_prefix(':')?;
                members.push((name, node(rest)?));
                Some(())
            })?;
            Some(Node::Members(members))
        }
        _ => {
            let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            *rest = after;
            Some(Node::Word(word.to_owned()))
        }
    }
}

/// What stands between two brackets, parted by commas.
fn list(rest: &mut &str, close: char, mut one: impl FnMut(&mut &str) -> Option<()>) -> Option<()> {
    *rest = rest.get(1..)?.trim_start();
    if let Some(after) = rest.strip_prefix(close) {
        *rest = after;
        return Some(());
    }
    loop {
        one(rest)?;
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(close) {
            *rest = after;
            return Some(());
        }
        *rest = rest.strip_prefix(',')?;
    }
}

fn text(rest: &mut &str) -> Option<String> {
    let mut escaped = false;
    let inner = rest.get(1..)?;
    let end = inner.bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })?;
    let (quoted, after) = rest.split_at_checked(end + 2)?;
    *rest = after;
    serde_json::from_str(quoted).ok()
}

impl Node {
    pub(super) fn write(&self, style: Style) -> String {
        let mut out = String::new();
        self.write_to(&mut out, style, 0);
        out
    }

    fn write_to(&self, out: &mut String, style: Style, depth: usize) {
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Text(text) => quote(out, style, text),
            Self::List(items) => {
                let write = |out: &mut String, item: &Self| item.write_to(out, style, depth + 1);
                between(out, (style, depth), ['[', ']'], items.iter(), write);
            }
            Self::Members(members) => {
                let mut members: Vec<&(String, Self)> = members.iter().collect();
                if style.sorted {
                    members.sort_by(|a, b| a.0.cmp(&b.0));
                }
                let colon = if style.indent.is_some() || style.spaced { ": " } else { ":" };
                let write = |out: &mut String, (name, value): &(String, Self)| {
                    quote(out, style, name);
                    out.push_str(colon);
                    value.write_to(out, style, depth + 1);
                };
                between(out, (style, depth), ['{', '}'], members.into_iter(), write);
            }
        }
    }
}

fn between<'n, T: 'n>(
    out: &mut String,
    (style, depth): (Style, usize),
    [open, close]: [char; 2],
    items: impl ExactSizeIterator<Item = &'n T>,
    write: impl Fn(&mut String, &'n T),
) {
    out.push(open);
    let last = items.len();
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = style.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    };
    for (index, item) in items.enumerate() {
        line(out, depth + 1);
        write(out, item);
        if index + 1 < last {
            out.push(',');
            if style.spaced && style.indent.is_none() {
                out.push(' ');
            }
        } else {
            line(out, depth);
        }
    }
    out.push(close);
}

fn quote(out: &mut String, style: Style, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if style.slashes => out.push_str("\\/"),
            char if char < ' ' || (style.ascii && !char.is_ascii()) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, style: Style) -> String {
        read(text.as_bytes()).unwrap().write(style)
    }

    #[test]
    fn order_numbers_and_texts_survive() {
        let text = r#" { "b" : [1.50, 1e3, [ ], {}], "a\"\\": "é/\u00e9\n😀", "c": null } "#;
        assert_eq!(
            written(text, Style::default()),
            r#"{"b":[1.50,1e3,[],{}],"a\"\\":"é/é\n😀","c":null}"#
        );
        let php = Style { ascii: true, slashes: true, ..Style::default() };
        assert_eq!(
            written(text, php),
            r#"{"b":[1.50,1e3,[],{}],"a\"\\":"\u00e9\/\u00e9\n\ud83d\ude00","c":null}"#
        );
        let python = Style { spaced: true, sorted: true, ..Style::default() };
        assert_eq!(written(r#"{"b":[1,2],"a":{}}"#, python), r#"{"a": {}, "b": [1, 2]}"#);
        let pretty = Style { indent: Some("  "), ..Style::default() };
        let expected = "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": {}\n}";
        assert_eq!(written(r#"{"b":[1,2],"a":{}}"#, pretty), expected);
        let same: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(serde_json::to_string_pretty(&same["b"]).unwrap(), written("[1,2]", pretty));
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        for bad in ["", "{", "[1,]", "a=b", "\"", "{\"a\" 1}"] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(read("[".repeat(5000).as_bytes()).is_none());
        assert!(read(b"\xff").is_none());
    }
}
