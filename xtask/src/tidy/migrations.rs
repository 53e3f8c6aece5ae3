//! Both databases have the same migrations: the same names in the same order.

use std::collections::BTreeSet;

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const DATABASES: [&str; 2] = ["migrations/postgres/", "migrations/sqlite/"];

pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let [postgres, sqlite] = DATABASES.map(|folder| names(tree, folder));
    let missing = |folder: &str, of: &BTreeSet<&str>, from: &BTreeSet<&str>| -> Vec<Finding> {
        let lacking = from.difference(of);
        lacking
            .map(|name| {
                let message =
                    "the other database has this migration; write it here under the same name";
                Finding::new(&format!("{folder}{name}"), 1, message)
            })
            .collect()
    };
    let mut findings = missing(DATABASES[0], &postgres, &sqlite);
    findings.extend(missing(DATABASES[1], &sqlite, &postgres));
    findings
}

fn names<'a>(tree: &'a Tree, folder: &str) -> BTreeSet<&'a str> {
    tree.paths.iter().filter_map(|path| path.strip_prefix(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_without_its_pair_is_found_on_either_side() {
        let both = [("migrations/postgres/1_a/up.sql", ""), ("migrations/sqlite/1_a/up.sql", "")];
        assert!(findings(&Tree::of(&both)).is_empty());
        assert_eq!(findings(&Tree::of(&both[..1]))[0].file, "migrations/sqlite/1_a/up.sql");
        assert_eq!(findings(&Tree::of(&both[1..]))[0].file, "migrations/postgres/1_a/up.sql");
    }
}
