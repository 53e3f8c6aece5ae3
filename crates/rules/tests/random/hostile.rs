//! What nobody means well with: bytes that are no rules and no events, rules that cost as much as they may, and many of
//! them. The entry points take bytes, so that a fuzzer can call them; here they run the corpus in `testdata/fuzz` and what
//! chance makes of it.

use std::{collections::HashSet, fs, path::Path};

use omni_rules::{Condition, Conditions, Filter, Matcher, Pattern, Scratch, lint_against};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{brute, make};

/// Compiles bytes as a pattern, and asks of what compiles all that can be asked without an event.
fn compile(bytes: &[u8]) -> Option<Filter> {
    let pattern: Value = serde_json::from_slice(bytes).ok()?;
    let filter = match Filter::compile(Some(&Pattern(pattern.clone())), &[]) {
        Ok(filter) => filter,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.pointer.starts_with("/pattern"), "{problem}");
                assert!(problem.message.len() < 70_000, "{}", problem.message.len());
            }
            return None;
        }
    };
    for finding in filter.lint() {
        let place = finding.pointer.strip_prefix("/pattern").unwrap();
        assert!(pattern.pointer(place).is_some(), "{finding:?}");
    }
    // A pattern is as strange a schema as any.
    lint_against(&filter, "", &pattern);
    Some(filter)
}

/// Compiles the first line as a pattern and matches the rest with it, which must not break, and must say what `explain`
/// says where the rest is an event.
fn matches(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, event) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Some(filter) = compile(line) else { return };
    let matcher = Matcher::build(vec![(filter.clone(), ())]);
    let mut scratch = Scratch::default();
    let found = matcher.matching(event, &mut scratch).map(|found| found.items().len() == 1);
    let Ok(value) = serde_json::from_slice::<Value>(event) else { return };
    if !value.is_object() {
        return assert!(found.is_err(), "an event is an object");
    }
    let proof = filter.explain(&value);
    let _ = (proof.to_string(), proof.summary());
    // Of a repeated name the reader takes the first, and a map the last; the door lets no such event in.
    if has_repeated_names(event, &value) || matcher_gave_up(&matcher, event) {
        return;
    }
    assert_eq!(found, Ok(proof.matched), "{}", String::from_utf8_lossy(bytes));
}

/// Whether a map has fewer names than the text; a colon in a text counts, too, and only spares the comparison.
fn has_repeated_names(event: &[u8], value: &Value) -> bool {
    fn names(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(names).sum(),
            Value::Object(fields) => fields.len() + fields.values().map(names).sum::<usize>(),
            _ => 0,
        }
    }
    event.split(|byte| *byte == b':').count() != names(value) + 1
}

fn matcher_gave_up(matcher: &Matcher<()>, event: &[u8]) -> bool {
    let mut scratch = Scratch::default();
    matcher.matching(event, &mut scratch).is_ok_and(|found| found.undecided().len() > 0)
}

#[test]
fn the_corpus_breaks_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fuzz");
    let mut seen = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        matches(&bytes);
        // Every way to cut it is one more input.
        for end in 0..bytes.len().min(2_000) {
            matches(&bytes[..end]);
        }
        seen += 1;
    }
    assert!(seen > 10, "the corpus has {seen} files");
}

/// A pattern and an event as bytes, some of them changed.
fn nearly_valid() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0..4_u8,
        prop::sample::select(&b"\"[]{}:,*\\\n0-.e$ \xff\xc3a"[..]),
    );
    let changes = proptest::collection::vec(change, 0..4);
    (make::pattern(), make::event(), any::<u64>(), changes).prop_map(
        |(pattern, event, noise, changes)| {
            let mut bytes = format!("{pattern}\n{}", make::written(&event, noise)).into_bytes();
            for (place, kind, byte) in changes {
                if bytes.is_empty() {
                    break;
                }
                let place = place.index(bytes.len());
                match kind {
                    0 => bytes[place] = byte,
                    1 => bytes.insert(place, byte),
                    2 => drop(bytes.remove(place)),
                    _ => bytes.truncate(place.max(1)),
                }
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_understood(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        matches(&bytes);
        matches(&[b"{\"a\":[\"b\"]}\n", &bytes[..]].concat());
    }

    #[test]
    fn what_is_nearly_valid_breaks_nothing(bytes in nearly_valid()) {
        matches(&bytes);
    }
}

/// Texts over two letters without a pattern in it.
fn noise(length: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 0 { 'a' } else { 'b' }
    };
    (0..length).map(|_| letter()).collect()
}

/// Rules that are accepted and cost as much as they may, and an event of a megabyte that makes them pay.
fn costly() -> Vec<(Value, Value)> {
    let words: Vec<String> = (0..20_000).map(|n| format!("{}{n}", noise(40))).collect();
    let globs: Vec<Value> =
        (0..200).map(|n| json!({ "wildcard": format!("*a*b*a*bb*aa*{n}x*y*") })).collect();
    let regexes: Vec<Value> =
        (10..40).map(|n| json!({ "matches": format!("[ab]*a[ab]{{{n}}}c") })).collect();
    let lists: Vec<Value> = (0..60).map(|n| json!({ "x": vec![n; 300], "y": words[n] })).collect();
    let consistent = json!({ "l": { "x": [{ "exists": true }], "y": [{ "none-of": ["a"] }, { "suffix": "zz" }] } });
    vec![
        (json!({ "w": globs }), json!({ "w": words })),
        (json!({ "w": [{ "all": globs }] }), json!({ "w": words })),
        (json!({ "t": regexes }), json!({ "t": noise(64 * 1024) })),
        (json!({ "w": regexes }), json!({ "w": words })),
        (consistent, json!({ "l": lists })),
        (
            json!({ "$and": [{ "w": globs }, { "w": [{ "none-of": globs }] }] }),
            json!({ "w": words }),
        ),
    ]
}

#[test]
fn work_is_counted_and_ends() {
    let mut stopped = 0;
    for (pattern, event) in costly() {
        let filter = Filter::compile(Some(&Pattern(pattern)), &[]).unwrap();
        let proof = filter.explain(&event);
        let leaves = || proof.branches.iter().flat_map(|branch| &branch.leaves);
        let errors = leaves().filter_map(|leaf| leaf.error.as_deref());
        let gave_up =
            errors.map(|error| assert!(error.contains("stopped after"), "{error}")).count() > 0;
        stopped += usize::from(gave_up);
        // What cannot be decided does not hold, and is said.
        assert!(!gave_up || !proof.matched, "{proof}");
        assert!(proof.to_string().len() < 20_000);
        assert!(serde_json::to_string(&proof).unwrap().len() < 300_000);
        let matcher = Matcher::build(vec![(filter, ())]);
        let mut scratch = Scratch::default();
        let found = matcher.matching(event.to_string().as_bytes(), &mut scratch).unwrap();
        // Both may stop at another step; what both decide is the same.
        if !gave_up && found.undecided().len() == 0 {
            assert_eq!(found.items().len() == 1, proof.matched);
        }
        assert!(found.items().len() + found.undecided().len() <= 1);
    }
    assert!(stopped >= 2, "{stopped} of the rules were stopped");
}

#[test]
fn ten_thousand_rules_at_once_say_what_each_says() {
    let mut runner = TestRunner::deterministic();
    let mut made = |of: BoxedStrategy<Value>| of.new_tree(&mut runner).unwrap().current();
    let parts: Vec<Value> = (0..400).map(|_| made(make::pattern().boxed())).collect();
    let lists: Vec<Value> = (0..100).map(|_| made(make::conditions().boxed())).collect();
    let events: Vec<Value> = (0..4).map(|_| made(make::event().boxed())).collect();
    let mut rules = Vec::new();
    for number in 0.. {
        // Two parts in one of three ways, so that most rules are of their own.
        let (one, other) = (&parts[number % parts.len()], &parts[number * 7 % 399]);
        let (pattern, both): (Value, fn(bool, bool) -> bool) = match number / parts.len() % 3 {
            0 => (one.clone(), |one, _| one),
            1 => (json!({ "$or": [one, other] }), |one, other| one || other),
            _ => (json!({ "$and": [one, other] }), |one, other| one && other),
        };
        let conditions: Vec<Condition> =
            serde_json::from_value(lists[number * 3 % lists.len()].clone()).unwrap();
        if let Ok(filter) = Filter::compile(Some(&Pattern(pattern.clone())), &conditions) {
            let conditions = Conditions::compile(&conditions).unwrap();
            rules.push((filter, conditions, (number % parts.len(), number * 7 % 399, both)));
        }
        if rules.len() == 10_000 {
            break;
        }
    }
    let filters = rules.iter().enumerate().map(|(number, rule)| (rule.0.clone(), number));
    let matcher = Matcher::build(filters.collect());
    let mut scratch = Scratch::default();
    let mut held = 0;
    for (round, event) in events.iter().enumerate() {
        let text = make::written(event, round as u64);
        let found = matcher.matching(text.as_bytes(), &mut scratch).unwrap();
        assert_eq!(found.undecided().len(), 0);
        let found: HashSet<usize> = found.items().copied().collect();
        held += found.len();
        let of_parts: Vec<bool> = parts.iter().map(|part| brute::holds(part, event)).collect();
        for (number, (filter, conditions, (one, other, both))) in rules.iter().enumerate() {
            let by_pattern = both(of_parts[*one], of_parts[*other]);
            let expected = by_pattern && conditions.evaluate(event);
            assert_eq!(found.contains(&number), expected, "{filter:?} {event}");
            if round == 0 {
                assert_eq!(filter.explain(event).matched, expected, "{filter:?} {event}");
            }
        }
    }
    assert!(held > 1_000, "{held} rules held");
}
