//! A filter means the same to the plain evaluator of these tests, to `explain` and to every index. `PROPTEST_CASES` says how
//! many cases are tried.

use std::{collections::BTreeMap, sync::Arc};

use omni_rules::{
    Code, Condition, Conditions, Filter, Listed, Matcher, Pattern, Rule, RuleIndex, Rules, Scratch,
    Severity, lint_against, lint_set,
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{brute, make};

/// A rule as it is written, and compiled.
#[derive(Debug, Clone)]
struct Made {
    pattern: Option<Value>,
    conditions: Conditions,
    filter: Filter,
}

impl Made {
    /// `None` where the compiler refuses it, which other tests look at.
    fn of(pattern: Option<Value>, conditions: Value) -> Option<Self> {
        let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap();
        let filter = Filter::compile(pattern.clone().map(Pattern).as_ref(), &conditions).ok()?;
        let conditions = Conditions::compile(&conditions).unwrap();
        Some(Self { pattern, conditions, filter })
    }

    fn holds(&self, event: &Value) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| brute::holds(pattern, event))
            && self.conditions.evaluate(event)
    }
}

fn rule() -> impl Strategy<Value = Option<Made>> {
    let pattern = proptest::option::weighted(0.9, make::pattern());
    (pattern, make::conditions()).prop_map(|(pattern, conditions)| Made::of(pattern, conditions))
}

fn rules(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Made>> {
    proptest::collection::vec(rule(), count).prop_map(|rules| rules.into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn an_explanation_says_what_the_pattern_means(pattern in make::pattern(), events in proptest::collection::vec(make::event(), 1..6)) {
        let Ok(filter) = Filter::compile(Some(&Pattern(pattern.clone())), &[]) else { return Ok(()) };
        for event in events {
            let proof = filter.explain(&event);
            prop_assert_eq!(proof.matched, brute::holds(&pattern, &event), "{}\n{}\n{}", pattern, event, proof);
        }
    }

    #[test]
    fn a_matcher_finds_what_holds(rules in rules(1..12), events in proptest::collection::vec(make::event(), 1..6), noise: u64) {
        let filters = rules.iter().enumerate().map(|(number, rule)| (rule.filter.clone(), number));
        let matcher = Matcher::build(filters.collect());
        let mut scratch = Scratch::default();
        for event in events {
            let text = make::written(&event, noise);
            let found = matcher.matching(text.as_bytes(), &mut scratch).unwrap();
            prop_assert_eq!(found.undecided().len(), 0);
            let found: Vec<usize> = found.items().copied().collect();
            prop_assert!(found.is_sorted());
            for (number, rule) in rules.iter().enumerate() {
                let said = (found.contains(&number), rule.filter.explain(&event).matched);
                let held = rule.holds(&event);
                prop_assert_eq!(said, (held, held), "{:?} {:?}\n{}", rule.pattern, rule.conditions, text);
            }
        }
    }

    #[test]
    fn a_proof_agrees_with_itself(rule in rule(), event in make::event()) {
        let Some(rule) = rule else { return Ok(()) };
        let proof = rule.filter.explain(&event);
        let branches = &proof.branches;
        let by_pattern = branches.is_empty() || branches.iter().any(|branch| branch.matched);
        prop_assert_eq!(proof.matched, by_pattern && proof.conditions.iter().all(|leaf| leaf.matched));
        prop_assert!(branches.is_sorted_by_key(|branch| !branch.matched));
        for branch in branches {
            let held = branch.leaves.iter().all(|leaf| leaf.matched);
            prop_assert_eq!(branch.matched, held && branch.apart.is_none());
            prop_assert!(branch.apart.is_none() || held);
            prop_assert!(branch.leaves.is_sorted_by_key(|leaf| leaf.matched));
            for leaf in &branch.leaves {
                prop_assert!(leaf.error.is_none());
                let pattern = rule.pattern.as_ref().unwrap();
                prop_assert_eq!(pattern.pointer(&leaf.pointer), Some(&leaf.expected));
                if let Some(at) = &leaf.at {
                    let found = at_place(&event, at);
                    prop_assert!(leaf.matched && found.is_some_and(|found| leaf.actual.contains(found)), "{} {}", at, event);
                }
            }
        }
        let stored = serde_json::to_value(&proof).unwrap();
        prop_assert_eq!(serde_json::from_value::<omni_rules::Proof>(stored).unwrap(), proof);
    }
}

/// A schema that allows this value and little else.
fn schema_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let properties: serde_json::Map<_, _> =
                fields.iter().map(|(name, field)| (name.clone(), schema_of(field))).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Value::Array(items) if items.is_empty() => json!({ "type": "array", "items": false }),
        Value::Array(items) => {
            json!({ "type": "array", "items": { "anyOf": items.iter().map(schema_of).collect::<Vec<_>>() } })
        }
        Value::String(_) => json!({ "type": "string" }),
        Value::Number(number) => json!({ "enum": [number] }),
        scalar => json!({ "allOf": [{ "const": scalar }, { "type": ["boolean", "null"] }] }),
    }
}

proptest! {
    #[test]
    fn lint_claims_nothing_that_an_event_disproves(
        (one, other) in (make::pattern(), make::pattern()),
        way in 0..3_u8,
        events in proptest::collection::vec(make::event(), 12),
    ) {
        let (narrow, wide) = match way {
            0 => (one, other),
            1 => (one.clone(), json!({ "$or": [one, other] })),
            _ => (json!({ "$and": [one.clone(), other] }), one),
        };
        let compile = |pattern: &Value| Filter::compile(Some(&Pattern(pattern.clone())), &[]);
        let (Ok(first), Ok(second)) = (compile(&narrow), compile(&wide)) else { return Ok(()) };
        let listed = |filter| Listed { name: "", type_pattern: ">", filter };
        let lint = lint_set(&[listed(&first), listed(&second)], false);
        prop_assert!(lint.complete);
        // What is built as a part of another is found to be one.
        prop_assert!(way == 0 || !lint.findings.is_empty(), "{} {}", narrow, wide);
        let either = narrow.to_string().contains("$or");
        for event in &events {
            let holds = [brute::holds(&narrow, event), brute::holds(&wide, event)];
            for found in &lint.findings {
                let (rule, other) = (holds[found.rule], holds[found.other]);
                prop_assert!(!rule || other, "{} {} {}", found.code, narrow, wide);
                prop_assert!(found.code != Code::Equal || rule == other, "{} {}", narrow, wide);
            }
            // Another alternative of an `$or` may hold where one cannot.
            if holds[0] && !either {
                let findings = [first.lint(), lint_against(&first, "", &schema_of(event))].concat();
                let error = findings.iter().find(|found| found.severity == Severity::Error);
                prop_assert!(error.is_none(), "{:?} {} {}", error, narrow, event);
            }
        }
    }
}

/// A change of live rules: of which organisation and name, and to what; to nothing when it is removed.
type Change = (&'static str, usize, Option<(&'static str, i32, usize)>);

/// Changes of few names, so that most of them meet a rule that is there.
fn changes(count: usize) -> impl Strategy<Value = Vec<Change>> {
    let types = select(vec!["a.b", "a.c", "a.*", "a.b.c", "a.>", ">"]);
    let to = (types, -1..2_i32, any::<prop::sample::Index>());
    let to = to.prop_map(|(types, priority, rule)| (types, priority, rule.index(POOL)));
    let change = (select(vec!["x", "y"]), 0..NAMES, proptest::option::weighted(0.8, to));
    proptest::collection::vec(change, 1..count)
}

/// Rules that changes choose from, and their names.
const POOL: usize = 40;
const NAMES: usize = 600;

fn pool() -> impl Strategy<Value = Vec<Made>> {
    proptest::collection::vec(rule().prop_filter_map("refused", |rule| rule), POOL)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16 + 1, ..ProptestConfig::default() })]

    #[test]
    fn live_rules_are_those_of_the_last_change(
        pool in pool(),
        first in changes(300),
        changes in changes(600),
        events in proptest::collection::vec(make::event(), 4),
    ) {
        let held = |event: &Value| pool.iter().map(|rule| rule.holds(event)).collect();
        let events: Vec<(Value, Vec<bool>)> =
            events.iter().map(|event| (event.clone(), held(event))).collect();
        let mut model: BTreeMap<(&str, String), (&str, i32, usize)> = BTreeMap::new();
        let made = |org: &str, name: &str, (types, priority, item): (&str, i32, usize)| Rule {
            org: org.to_owned(),
            type_pattern: types.to_owned(),
            priority,
            order: name.to_owned(),
            filter: Arc::new(pool[item].filter.clone()),
            item,
        };
        for (org, name, to) in first {
            if let Some(to) = to {
                model.insert((org, format!("{name:03}")), to);
            }
        }
        let rules = Rules::new(model.iter().map(|((org, name), to)| made(org, name, *to)).collect());
        agree(&rules.load(), &model, &events)?;
        for (step, (org, name, to)) in changes.into_iter().enumerate() {
            let name = format!("{name:03}");
            if let Some(to) = to {
                rules.put(made(org, &name, to)).unwrap();
                model.insert((org, name), to);
            } else {
                prop_assert_eq!(rules.remove(org, &name), model.remove(&(org, name)).is_some());
            }
            if step % 100 == 0 {
                agree(&rules.load(), &model, &events)?;
            }
        }
        agree(&rules.load(), &model, &events)?;
        let built: Vec<_> = model.iter().map(|((org, name), to)| made(org, name, *to)).collect();
        agree(&RuleIndex::build(built), &model, &events)?;
    }
}

fn agree(
    index: &RuleIndex<usize>,
    model: &BTreeMap<(&str, String), (&str, i32, usize)>,
    events: &[(Value, Vec<bool>)],
) -> Result<(), TestCaseError> {
    prop_assert_eq!(index.len(), model.len());
    let mut scratch = Scratch::default();
    for (number, (event, held)) in events.iter().enumerate() {
        let (org, event_type) = [("x", "a.b"), ("y", "a.c"), ("y", "a.b.c"), ("x", "b.b")][number];
        let listens = |types: &str| match types {
            ">" => true,
            "a.>" => event_type.starts_with("a."),
            "a.*" => event_type == "a.b" || event_type == "a.c",
            exact => exact == event_type,
        };
        let mut listening: Vec<_> = model
            .iter()
            .filter(|((owner, _), (types, ..))| *owner == org && listens(types))
            .collect();
        // Best first; those of one priority by name, as the model has them.
        listening.sort_by_key(|(_, (_, priority, _))| -priority);
        let text = make::written(event, number as u64);
        let found = index.matching(org, event_type, text.as_bytes(), &mut scratch).unwrap();
        prop_assert_eq!(found.listening, listening.len());
        prop_assert!(found.undecided.is_empty());
        let items: Vec<usize> = listening.into_iter().map(|(_, (_, _, item))| *item).collect();
        let expected: Vec<usize> = items.into_iter().filter(|item| held[*item]).collect();
        let found: Vec<usize> = found.items.into_iter().copied().collect();
        prop_assert_eq!(found, expected, "{} {}", event_type, text);
    }
    Ok(())
}

/// The value at a place such as `a.b[3]["x\"y"]`.
fn at_place<'a>(event: &'a Value, place: &str) -> Option<&'a Value> {
    let mut pointer = String::new();
    for part in place.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        pointer.push('/');
        pointer.push_str(part);
    }
    event.pointer(&pointer)
}
