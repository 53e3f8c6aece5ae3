//! What becomes of the fields of a partition when its rules change.

use serde_json::{Value, json};

use super::*;
use crate::{Pattern, Rule};

type Sourced = (Arc<Entry<usize>>, Arc<Filter>);

fn rule(number: usize, pattern: Value) -> Sourced {
    let filter = Arc::new(Filter::compile(Some(&Pattern(pattern)), &[]).unwrap());
    entry(number, &filter)
}

fn entry(number: usize, filter: &Arc<Filter>) -> Sourced {
    let rule = Rule {
        org: "o".to_owned(),
        type_pattern: "x.y".to_owned(),
        priority: 0,
        order: format!("{number:06}"),
        filter: filter.clone(),
        item: number,
    };
    Entry::new(rule, number as u64)
}

/// A rule with twenty fields that no other has.
fn wide(number: usize) -> Sourced {
    let fields = (0..20).map(|field| (format!("f{number}_{field}"), json!([1])));
    rule(number, Value::Object(fields.collect()))
}

fn holding(partition: &Partition<usize>, event: &Value) -> Vec<usize> {
    let mut collected = Collected {
        found: Vec::new(),
        undecided: Vec::new(),
        listening: 0,
        parts: 0,
        left: 250_000,
    };
    let mut scratch = Scratch::default();
    scratch.work.begin();
    let event = event.to_string();
    partition.matching("x.y", event.as_bytes(), &mut scratch, &mut collected).unwrap();
    collected.found.iter().map(|entry| entry.item).collect()
}

fn joined(mut partition: Partition<usize>) -> Partition<usize> {
    while let Some(joined) = partition.join() {
        partition = partition.with_joined(joined).unwrap();
    }
    partition
}

#[test]
fn fields_that_nobody_asks_for_any_more_are_forgotten_beside_few_rules() {
    let mut partition = Partition::build(&[rule(0, json!({ "a": [1] }))]);
    for number in 1..50 {
        let (entry, filter) = wide(number);
        partition = joined(partition.with(&entry, &filter));
        let event = json!({ "a": 1 });
        assert_eq!(holding(&partition, &event), [0]);
        assert!(partition.fields.paths.len() <= 41, "{}", partition.fields.paths.len());
        partition = joined(partition.without(&entry).unwrap());
    }
}

#[test]
fn fields_that_nobody_asks_for_any_more_are_forgotten_beside_many_rules() {
    let rules: Vec<_> = (0..OPEN_MAX).map(|n| rule(n, json!({ "a": [n] }))).collect();
    let mut partition = Partition::build(&rules);
    for number in 1_000..1_250 {
        let (entry, filter) = wide(number);
        partition = joined(partition.with(&entry, &filter));
        assert!(partition.fields.paths.len() < 2 * FIELDS_MIN);
        if number % 50 == 0 {
            let own = (0..20).map(|field| (format!("f{number}_{field}"), json!(1)));
            let mut event = Value::Object(own.collect());
            event["a"] = json!(7);
            assert_eq!(holding(&partition, &event), [7, number]);
        }
        partition = joined(partition.without(&entry).unwrap());
    }
}

#[test]
fn fields_that_are_asked_for_stay_and_are_not_joined_for_ever() {
    let rules: Vec<_> = (0..OPEN_MAX).map(wide).collect();
    let mut partition = Partition::build(&rules[..1]);
    for (entry, filter) in &rules[1..] {
        partition = joined(partition.with(entry, filter));
    }
    assert_eq!(partition.fields.paths.len(), 20 * OPEN_MAX);
    assert!(partition.join().is_none());
}

#[test]
fn a_field_that_a_change_adds_while_parts_are_joined_stays() {
    let filter = rule(0, json!({ "a": [1] })).1;
    let mut fields = Arc::default();
    let mut number = 0;
    let parts = [JOINED_MAX + 1, OPEN_MAX, OPEN_MAX].map(|size| {
        let rules: Vec<_> = (number..number + size).map(|n| entry(n, &filter)).collect();
        number += size;
        let sources = rules.iter().map(|(entry, filter)| (entry.clone(), Origin::New(filter)));
        Part::build(sources.collect(), &[], &Fields::default(), &mut fields)
    });
    let partition = Partition { fields, fields_then: 1, parts: parts.into() };
    let joined = partition.join().unwrap();
    assert_eq!(joined.first, 1, "the first part is too large to be joined");
    let (new, filter) = rule(number, json!({ "b": [1] }));
    let partition = partition.with(&new, &filter).with_joined(joined).unwrap();
    assert_eq!(partition.parts.len(), 3);
    assert_eq!(holding(&partition, &json!({ "b": 1 })), [number]);
}
