//! What is asked of one file: a header, a length, and words that it may not contain.

use crate::tidy::Finding;
use crate::tidy::tree::is_rust;

/// A longer file holds more than one thing.
const LINES_MAX: usize = 500;

/// Words of Rust that must not stay; written in two parts, so that this file may name them.
const RUST_WORDS: [(&str, &str); 3] = [
    (concat!("to", "do!"), "finish it, or write an error that says what is missing"),
    (concat!("#[ig", "nore"), "a test runs, or it is deleted"),
    (concat!("[al", "low("), "write #[expect(…, reason = \"…\")], which expires by itself"),
];

/// Words that must not stay in any text; whole words only.
const MARKS: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

/// A path of one machine.
const MACHINE: &str = concat!("/wo", "rk/");

pub(super) fn findings(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_rust = is_rust(path);
    if is_rust {
        findings.extend(header(path, text));
        let lines = text.lines().count();
        if lines > LINES_MAX {
            findings.push(Finding::new(path, lines, format!("{lines} lines, at most {LINES_MAX}")));
        }
        if path.ends_with("/mod.rs") {
            let message = "name the file after its module, beside the folder, instead of mod.rs";
            findings.push(Finding::new(path, 1, message));
        }
    }
    for (number, line) in text.lines().enumerate() {
        let mut find = |message: String| findings.push(Finding::new(path, number + 1, message));
        for mark in MARKS.iter().filter(|mark| has_word(line, mark)) {
            find(format!("`{mark}`: do it now, or describe it where work is planned"));
        }
        if line.contains(MACHINE) {
            find(format!("`{MACHINE}`: a path of one machine does not belong here"));
        }
        for (word, instead) in RUST_WORDS.iter().filter(|(word, _)| is_rust && line.contains(word))
        {
            find(format!("`{word}`: {instead}"));
        }
    }
    findings
}

/// A crate's README is the header of its `lib.rs`.
fn header(path: &str, text: &str) -> Option<Finding> {
    let first = text.lines().next().unwrap_or_default();
    let is_header = first.strip_prefix("//!").is_some_and(|words| words.trim().len() > 3)
        || first.starts_with("#![doc = include_str!(");
    let message = "open the file with `//!`: what is here, and what must stay true";
    (!is_header).then(|| Finding::new(path, 1, message))
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        findings(path, text).into_iter().map(|f| format!("{}: {}", f.line, f.message)).collect()
    }

    #[test]
    fn a_tidy_file_has_no_findings() {
        assert!(messages("a/b.rs", "//! What is here.\n\nfn main() {}\n").is_empty());
        assert!(messages("a/lib.rs", "#![doc = include_str!(\"../README.md\")]\n").is_empty());
        assert!(messages("notes.md", "# Notes\n").is_empty());
    }

    #[test]
    fn a_header_is_needed_and_says_something() {
        for text in ["", "fn main() {}\n", "//! x\nfn main() {}\n", "// What is here.\n"] {
            assert_eq!(messages("a.rs", text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn length_and_name_are_checked() {
        let long = format!("//! What is here.\n{}", "\n".repeat(LINES_MAX));
        assert!(messages("a.rs", &long)[0].starts_with("501: 501 lines"));
        assert_eq!(messages("a/mod.rs", "//! What is here.\n").len(), 1);
    }

    #[test]
    fn words_are_found_where_they_stand() {
        for (word, _) in RUST_WORDS {
            let text = format!("//! What is here.\n    {word}\n");
            assert!(messages("a.rs", &text)[0].starts_with("2: `"), "{word}");
            assert!(messages("a.md", &text).is_empty(), "{word}");
        }
        let [mark, _] = MARKS;
        assert_eq!(messages("a.sql", &format!("-- {mark}: later\n")).len(), 1);
        assert!(messages("a.sql", &format!("-- {mark}_NAME\n")).is_empty());
        assert_eq!(messages("a.md", &format!("see {MACHINE}notes\n")).len(), 1);
    }
}
