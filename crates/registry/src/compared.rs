//! A schema held against the versions that there are.

use omni_schema::{Compatibility, Direction, Finding, Policy, Schema, Unusable, compare};
use omni_store::schemas::VersionRow;
use schemars::JsonSchema;
use serde::Serialize;

/// Most findings of one answer.
const FINDINGS_MAX: usize = 200;

/// What a schema would break if it became the next version of a type.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Which changes are let through.
    pub compatibility: Compatibility,
    /// How versions are compared.
    pub policy: Policy,
    /// Whether it would be let through.
    pub compatible: bool,
    /// The versions it was held against, newest first: the newest one, or the newest two hundred where the mode is
    /// transitive. None for a new type.
    pub against: Vec<Against>,
    /// Findings that are left out because there are more than two hundred: first what is let through, then those against
    /// older versions.
    pub omitted: u64,
}

/// A schema held against one version.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Against {
    /// The version.
    pub version: i32,
    /// What breaks, in both directions; what the mode does not refuse is listed all the same.
    pub findings: Vec<Finding>,
}

impl Compared {
    /// Holds a schema against these versions.
    pub(crate) fn of(
        schema: &Schema,
        versions: &[VersionRow],
        (compatibility, policy): (Compatibility, Policy),
    ) -> Self {
        let mut told = Told::new(compatibility);
        let against = versions.iter().map(|row| {
            let findings = match Schema::parse(&row.schema) {
                Ok(old) => compare(&old, schema, policy).findings,
                Err(reason) => unproved(&reason),
            };
            Against { version: row.version, findings: told.some_of(findings) }
        });
        let mut against: Vec<Against> = against.collect();
        told.fit(&mut against);
        let kept: usize = against.iter().map(|one| one.findings.len()).sum();
        let omitted = (told.found - kept) as u64;
        Self { compatibility, policy, compatible: !told.refuses, against, omitted }
    }

    /// What the mode refuses, with the version it was found against.
    pub fn refused(&self) -> impl Iterator<Item = (i32, &Finding)> {
        let all = self.against.iter().flat_map(|one| one.findings.iter().map(|f| (one.version, f)));
        all.filter(|(_, finding)| self.compatibility.refuses(finding.direction))
    }
}

/// Which findings are told: of many versions there can be more than anybody reads, or a process holds.
struct Told {
    compatibility: Compatibility,
    found: usize,
    refuses: bool,
    refused: usize,
    let_through: usize,
}

impl Told {
    fn new(compatibility: Compatibility) -> Self {
        Self { compatibility, found: 0, refuses: false, refused: 0, let_through: 0 }
    }

    fn some_of(&mut self, mut findings: Vec<Finding>) -> Vec<Finding> {
        self.found += findings.len();
        findings.retain(|finding| {
            let count = if self.compatibility.refuses(finding.direction) {
                self.refuses = true;
                &mut self.refused
            } else {
                &mut self.let_through
            };
            *count += 1;
            *count <= FINDINGS_MAX
        });
        findings
    }

    /// What is refused comes before what is let through.
    fn fit(&self, against: &mut [Against]) {
        let mut room = FINDINGS_MAX.saturating_sub(self.refused);
        for one in against {
            one.findings.retain(|finding| {
                let fits = self.compatibility.refuses(finding.direction) || room > 0;
                if fits && !self.compatibility.refuses(finding.direction) {
                    room -= 1;
                }
                fits
            });
        }
    }
}

/// A release can refuse what an earlier one took; nothing can be proved of such a version.
fn unproved(reason: &Unusable) -> Vec<Finding> {
    let finding = |direction| Finding {
        direction,
        path: String::new(),
        rule: "unproved".to_owned(),
        message: format!(
            "The version is stored, but cannot be used any more, so compatibility could not be proved ({reason}). If \
             the change is known to be safe, let it through with mode NONE."
        ),
        counter_example: None,
    };
    [Direction::Backward, Direction::Forward].map(finding).into()
}
