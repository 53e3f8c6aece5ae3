//! `docs/features.md` tells the truth: every capability has its row, and a row that says that it
//! works names something that exists.
//!
//! The last cell of a row is `not yet`, or words with at least one proof in backticks: a test
//! (`name_of_the_function`, with its modules or without), a command (`omni …`, `cargo xtask …`)
//! or a file. Other things in backticks there (`POST /path`) may stand beside a proof.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const FILE: &str = "docs/features.md";

/// The series of numbers, and how many each has.
const SERIES: [(&str, usize); 3] = [("M", 174), ("C", 15), ("B", 20)];

/// How many lines above a function its test attribute may stand.
const ATTRIBUTES_MAX: usize = 6;

/// One row of a table.
struct Row<'a> {
    line: usize,
    number: &'a str,
    shown: &'a str,
}

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(FILE) else {
        return vec![Finding::new(FILE, 1, "the table of capabilities is missing")];
    };
    let rows: Vec<Row> =
        text.lines().enumerate().filter_map(|(at, line)| row(at + 1, line)).collect();
    let mut findings = incomplete(&rows);
    for row in &rows {
        let wrong = judge(tree, row.shown);
        let named = wrong.into_iter().map(|message| format!("{}: {message}", row.number));
        findings.extend(named.map(|message| Finding::new(FILE, row.line, message)));
    }
    findings
}

fn row(line: usize, text: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> =
        text.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let (number, shown) = (*cells.first()?, *cells.last()?);
    let (series, digits) = number.split_at_checked(1)?;
    let is_row = SERIES.iter().any(|(name, _)| *name == series) && digits.parse::<usize>().is_ok();
    is_row.then_some(Row { line, number, shown })
}

/// Every number once.
fn incomplete(rows: &[Row]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (series, count) in SERIES {
        for number in (1..=count).map(|digits| format!("{series}{digits}")) {
            let lines: Vec<usize> =
                rows.iter().filter(|row| row.number == number).map(|row| row.line).collect();
            match lines[..] {
                [_] => {}
                [] => findings.push(Finding::new(FILE, 1, format!("{number} has no row"))),
                [_, again, ..] => {
                    findings.push(Finding::new(FILE, again, format!("{number} has two rows")));
                }
            }
        }
    }
    findings
}

/// What is wrong with the last cell of a row.
fn judge(tree: &Tree, shown: &str) -> Vec<String> {
    if shown == "not yet" {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut proofs = 0;
    for word in shown.split('`').skip(1).step_by(2) {
        match proof(tree, word) {
            Some(true) => proofs += 1,
            Some(false) => wrong.push(format!("`{word}` does not exist")),
            None => {}
        }
    }
    if proofs == 0 && wrong.is_empty() {
        wrong.push("name a test, a command or a file in backticks, or say `not yet`".to_owned());
    }
    wrong
}

/// Whether a proof exists; `None` when the words are no proof.
fn proof(tree: &Tree, word: &str) -> Option<bool> {
    if let Some(command) = word.strip_prefix("omni ") {
        return Some(has_command(tree, "bins/omni/src/", command));
    }
    if let Some(command) = word.strip_prefix("cargo xtask ") {
        return Some(has_command(tree, "xtask/src/", command));
    }
    if word.contains(' ') {
        return None;
    }
    let is_path = !word.starts_with('/') && word.contains('/') && !word.contains("::");
    if is_path {
        return Some(tree.has(word));
    }
    let name = word.rsplit("::").next().unwrap_or(word);
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // A single word without a path is a word of the text: a header, an operator, a type.
    (is_name && (word.contains('_') || word.contains("::"))).then(|| has_test(tree, name))
}

/// Every leading word of a command is a subcommand, and every `--option` a field, in its source.
fn has_command(tree: &Tree, folder: &str, command: &str) -> bool {
    let source: String = tree.rust(folder).map(|file| file.text.as_str()).collect();
    let words: Vec<&str> = command.split_whitespace().collect();
    let is_subcommand = |word: &str| {
        !word.starts_with('-') && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let subcommands: Vec<&str> =
        words.iter().copied().take_while(|word| is_subcommand(word)).collect();
    let mut options = words.iter().filter_map(|word| word.strip_prefix("--"));
    !subcommands.is_empty()
        && subcommands.iter().all(|word| has_variant(&source, word))
        && options.all(|option| source.contains(&format!("{}:", option.replace('-', "_"))))
}

/// `dead-letter` is the variant `DeadLetter` of an enum.
fn has_variant(source: &str, word: &str) -> bool {
    let pascal: String = word
        .split('-')
        .filter_map(|part| part.split_at_checked(1))
        .map(|(first, rest)| first.to_uppercase() + rest)
        .collect();
    source.lines().any(|line| {
        let rest = line.trim().strip_prefix(&pascal);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '(', ' ', '{']))
    })
}

/// Whether a function of this name is a test, or one of a suite that several backends run.
fn has_test(tree: &Tree, name: &str) -> bool {
    let signature = format!("fn {name}(");
    tree.rust("").any(|file| {
        let lines: Vec<&str> = file.text.lines().collect();
        let found = lines.iter().enumerate().filter(|(_, line)| line.contains(&signature));
        let is_suite =
            ["conformance", "tests/contract"].iter().any(|suite| file.path.contains(suite));
        let mut is_test = found.map(|(at, _)| {
            let above = lines[at.saturating_sub(ATTRIBUTES_MAX)..at].iter().rev();
            above.take_while(|line| !line.trim().is_empty()).any(|line| is_test_attribute(line))
        });
        is_test.any(|is_test| is_test || is_suite)
    })
}

fn is_test_attribute(line: &str) -> bool {
    let line = line.trim();
    line == "#[test]" || line.starts_with("#[tokio::test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::of(&[
            (
                "crates/a/tests/it.rs",
                "#[tokio::test]\nasync fn it_works() {\n}\n\nfn not_one() {}\n\n#[test]\nfn plain() {}",
            ),
            ("crates/b/src/conformance.rs", "pub async fn order_is_kept() {}"),
            ("bins/omni/src/cli.rs", "enum C {\n    Up(Up),\n    Event {\n    List,\n demo: bool"),
        ])
    }

    #[test]
    fn what_exists_is_a_proof() {
        for shown in [
            "not yet",
            "`it_works`",
            "`it::plain`",
            "works; `a::it_works` and `POST /api/x`",
            "`order_is_kept`",
            "`omni up --demo`",
            "`omni event list`",
            "`crates/a/tests/it.rs`",
            "`crates/a`",
        ] {
            assert_eq!(judge(&tree(), shown), Vec::<String>::new(), "{shown}");
        }
    }

    #[test]
    fn what_does_not_exist_is_told() {
        for shown in [
            "",
            "TBD",
            "works",
            "`plain`",
            "`it::simple`",
            "`not_one`",
            "`it_work`",
            "`it_works` and `it_never_was`",
            "`omni event tail`",
            "`omni up --colour`",
            "`crates/c`",
            "`POST /api/x`",
        ] {
            assert_eq!(judge(&tree(), shown).len(), 1, "{shown}");
        }
    }

    #[test]
    fn every_number_has_one_row() {
        let mut rows: Vec<String> = Vec::new();
        for (series, count) in SERIES {
            rows.extend((1..=count).map(|number| format!("| {series}{number} | x | not yet |")));
        }
        let findings_of = |rows: &[String]| findings(&Tree::of(&[(FILE, &rows.join("\n"))]));
        assert_eq!(findings_of(&rows), []);
        assert_eq!(findings_of(&rows[1..])[0].message, "M1 has no row");
        rows.push("| B20 | x | not yet |".to_owned());
        assert_eq!(findings_of(&rows)[0].message, "B20 has two rows");
    }
}
