//! The rules that no compiler checks, as a command and as a test.
//!
//! Every finding is one line, `file:line: what is wrong and what to do`. A rule is a function of
//! text, so that it can be tested on text; only [`Tree::read`] touches the disk.

mod crates;
mod features;
mod files;
mod migrations;
mod tree;

use crate::error::Error;
use crate::tidy::tree::Tree;
use crate::workspace;

/// One thing to put right. Line 1 when the whole file is meant.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

/// Prints every finding; any finding is an error.
pub(crate) fn run() -> Result<(), Error> {
    let findings = findings(&Tree::read(workspace::root())?);
    for Finding { file, line, message } in &findings {
        println!("{file}:{line}: {message}");
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("tidy: {} findings", findings.len())))
}

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        tree.files.iter().flat_map(|file| files::findings(&file.path, &file.text)).collect();
    findings.extend(crates::findings(tree));
    findings.extend(migrations::findings(tree));
    findings.extend(features::findings(tree));
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        if let Err(error) = run() {
            panic!("{error}");
        }
    }
}
