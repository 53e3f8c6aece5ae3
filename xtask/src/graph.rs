//! The graph of our own crates: checked in as text, so that a new edge is seen in review, and
//! held to the tiers, so that it cannot point upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::error::Error;
use crate::workspace::{self, Metadata, Package};

/// Every crate and its tier. A crate uses only crates of lower tiers.
const TIERS: &[&[&str]] = &[
    &[
        "omni-events",
        "omni-clock",
        "omni-retry",
        "omni-rules",
        "omni-schema",
        "omni-transform",
        "omni-crypto",
        "omni-egress",
    ],
    &["omni-event-bus", "omni-store"],
    &["omni-registry"],
    &["omni-event-log"],
    &["omni-sources", "omni-schedules"],
    &["omni-actions"],
    &["omni-automations"],
    &["omni-proto", "omni-api"],
    &["omni-server", "omni-testing"],
    &["omni"],
];

/// The edges inside one tier that are meant.
const WITHIN_A_TIER: &[(&str, &str, &str)] = &[
    ("omni-api", "omni-proto", "the adapters speak the generated messages"),
    ("omni-testing", "omni-server", "the harness starts the whole product"),
];

/// Dependencies with a fence: only these of our crates may name them.
const FENCES: &[(&str, &[&str])] = &[
    ("ring", &["omni-crypto"]),
    ("diesel", &["omni-store"]),
    ("diesel-async", &["omni-store"]),
    ("hyper-rustls", &["omni-egress"]),
    ("tonic", &["omni-proto", "omni-api", "omni-server", "omni-testing", "omni"]),
];

/// A package's edges: to our own crates (normal and build), and to ours for its tests only.
#[derive(Default)]
struct Edges {
    uses: BTreeSet<String>,
    tests_with: BTreeSet<String>,
    outside: BTreeSet<String>,
}

type Graph = BTreeMap<String, Edges>;

/// Fails with one line per finding.
pub(crate) fn check() -> Result<(), Error> {
    let graph = read(&Metadata::read()?.packages);
    let mut findings = tier_findings(&graph);
    findings.extend(fence_findings(&graph));
    let expected = fs::read_to_string(file()).unwrap_or_default();
    findings.extend(differences(&expected, &text(&graph)));
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("the crate graph:\n  {}", findings.join("\n  "))))
}

/// Writes the checked-in graph, then checks: tiers and fences cannot be written away.
pub(crate) fn write() -> Result<(), Error> {
    let graph = read(&Metadata::read()?.packages);
    fs::write(file(), text(&graph)).map_err(Error::io("write the crate graph"))?;
    check()
}

fn file() -> PathBuf {
    workspace::root().join("xtask/expected/crate-graph.txt")
}

fn read(packages: &[Package]) -> Graph {
    let own: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut graph = Graph::new();
    for package in packages.iter().filter(|package| package.name != "xtask") {
        let edges = graph.entry(package.name.clone()).or_default();
        // A crate that names itself turns on a feature of its own for its tests.
        for dependency in package.dependencies.iter().filter(|used| used.name != package.name) {
            let for_tests = dependency.kind.as_deref() == Some("dev");
            let group = match (own.contains(dependency.name.as_str()), for_tests) {
                (true, false) => &mut edges.uses,
                (true, true) => &mut edges.tests_with,
                (false, false) => &mut edges.outside,
                (false, true) => continue,
            };
            group.insert(dependency.name.clone());
        }
    }
    graph
}

fn tier(name: &str) -> Option<usize> {
    TIERS.iter().position(|names| names.contains(&name))
}

fn tier_findings(graph: &Graph) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, edges) in graph {
        let Some(own) = tier(name) else {
            findings.push(format!("{name} has no tier: give it one in xtask/src/graph.rs"));
            continue;
        };
        for used in &edges.uses {
            let meant = WITHIN_A_TIER.iter().any(|(from, to, _)| from == name && to == used);
            if tier(used).is_some_and(|theirs| theirs >= own) && !meant {
                findings.push(format!("{name} (tier {own}) uses {used}, which is not below it"));
            }
        }
    }
    findings
}

fn fence_findings(graph: &Graph) -> Vec<String> {
    let mut findings = Vec::new();
    for (fenced, allowed) in FENCES {
        for (name, edges) in graph {
            if edges.outside.contains(*fenced) && !allowed.contains(&name.as_str()) {
                findings.push(format!("{name} uses {fenced}, allowed: {}", allowed.join(", ")));
            }
        }
    }
    findings
}

fn text(graph: &Graph) -> String {
    let mut text =
        String::from("# Written by `cargo xtask graph --write`: who uses whom, by tier.\n");
    for (number, names) in TIERS.iter().enumerate() {
        let present: BTreeSet<&&str> =
            names.iter().filter(|name| graph.contains_key(**name)).collect();
        if present.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\ntier {number}");
        for name in present {
            let edges = &graph[*name];
            let _ = writeln!(text, "  {name}");
            for (word, names) in [("uses", &edges.uses), ("tests with", &edges.tests_with)] {
                for used in names {
                    let _ = writeln!(text, "    {word} {used}");
                }
            }
        }
    }
    text
}

fn differences(expected: &str, actual: &str) -> Vec<String> {
    if expected == actual {
        return Vec::new();
    }
    // A line says something only together with the crate that it stands under.
    let edges = |text: &str| -> BTreeSet<String> {
        let mut crate_name = "";
        let mut edges = BTreeSet::new();
        for line in text.lines() {
            match line.strip_prefix("    ") {
                Some(edge) => _ = edges.insert(format!("{crate_name} {edge}")),
                None => crate_name = line.trim(),
            }
        }
        edges
    };
    let (expected, actual) = (edges(expected), edges(actual));
    let new = actual.difference(&expected).map(|edge| format!("new: {edge}"));
    let gone = expected.difference(&actual).map(|edge| format!("gone: {edge}"));
    let mut findings: Vec<String> = new.chain(gone).collect();
    findings.push("if that is meant: cargo xtask graph --write".to_owned());
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in edges {
            let edges = graph.entry((*from).to_owned()).or_default();
            edges.uses.insert((*to).to_owned());
            edges.outside.insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn an_edge_may_only_point_to_a_lower_tier() {
        assert!(tier_findings(&graph(&[("omni-store", "omni-events")])).is_empty());
        assert!(tier_findings(&graph(&[("omni-api", "omni-proto")])).is_empty());
        for (from, to) in [("omni-events", "omni-store"), ("omni-clock", "omni-retry")] {
            assert_eq!(tier_findings(&graph(&[(from, to)])).len(), 1, "{from} to {to}");
        }
        assert_eq!(tier_findings(&graph(&[("omni-new", "omni-events")])).len(), 1);
    }

    #[test]
    fn a_fenced_dependency_has_its_owner() {
        assert!(fence_findings(&graph(&[("omni-crypto", "ring")])).is_empty());
        assert_eq!(fence_findings(&graph(&[("omni-sources", "ring")])).len(), 1);
    }

    #[test]
    fn a_difference_names_the_edge() {
        let before = text(&graph(&[("omni-store", "omni-events")]));
        let after = text(&graph(&[("omni-store", "omni-clock")]));
        assert!(differences(&before, &before).is_empty());
        let findings = differences(&before, &after);
        assert!(findings.contains(&"new: omni-store uses omni-clock".to_owned()), "{findings:?}");
        assert!(findings.contains(&"gone: omni-store uses omni-events".to_owned()), "{findings:?}");
    }

    #[test]
    fn the_checked_in_graph_is_true() {
        if let Err(error) = check() {
            panic!("{error}");
        }
    }
}
