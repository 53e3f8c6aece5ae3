//! What is asked of a crate: a README that says something, and a `lib.rs` that is a list.

use std::collections::BTreeSet;

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// A longer `lib.rs` holds code that belongs to a module.
const LIB_LINES_MAX: usize = 100;

/// A title and a sentence are not yet a front page.
const README_LINES_MIN: usize = 8;

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    names(tree).into_iter().flat_map(|name| in_crate(tree, &name)).collect()
}

fn names(tree: &Tree) -> BTreeSet<String> {
    let manifests = tree.paths.iter().filter_map(|path| {
        path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").map(ToOwned::to_owned)
    });
    manifests.collect()
}

fn in_crate(tree: &Tree, name: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let readme = format!("crates/{name}/README.md");
    let filled = tree.text(&readme).map(|text| text.lines().filter(|l| !l.trim().is_empty()));
    match filled.map(Iterator::count) {
        None => findings.push(Finding::new(&readme, 1, "every crate has a README.md")),
        Some(lines) if lines < README_LINES_MIN => {
            let message = "say what the crate does, why, how it is used, and what it does not do";
            findings.push(Finding::new(&readme, 1, message));
        }
        Some(_) => {}
    }
    let lib = format!("crates/{name}/src/lib.rs");
    let lines = tree.text(&lib).map_or(0, |text| text.lines().count());
    if lines > LIB_LINES_MAX {
        let message =
            format!("{lines} lines, at most {LIB_LINES_MAX}: lib.rs is a list of modules");
        findings.push(Finding::new(&lib, lines, message));
    } else if lines == 0 {
        findings.push(Finding::new(&lib, 1, "every crate has a src/lib.rs"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("crates/a/Cargo.toml", "[package]");

    #[test]
    fn a_full_crate_is_tidy() {
        let readme = "a line\n".repeat(README_LINES_MIN);
        let files =
            [MANIFEST, ("crates/a/README.md", &readme), ("crates/a/src/lib.rs", "mod b;\n")];
        assert!(findings(&Tree::of(&files)).is_empty());
    }

    #[test]
    fn what_is_missing_or_too_long_is_told() {
        assert_eq!(findings(&Tree::of(&[MANIFEST])).len(), 2);
        let long = "mod b;\n".repeat(LIB_LINES_MAX + 1);
        let files = [MANIFEST, ("crates/a/README.md", "# a\n"), ("crates/a/src/lib.rs", &long)];
        assert_eq!(findings(&Tree::of(&files)).len(), 2);
    }
}
