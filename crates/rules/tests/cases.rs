//! Conditions and the index against the case files in `testdata/`, and at their limits.

use omni_rules::{
    CONDITIONS_MAX, Condition, Conditions, FIELD_LENGTH_MAX, FIELD_NESTING_MAX, Operator,
    REGEX_LENGTH_MAX, Rule, RuleIndex,
};
use serde_json::{Value, json};

fn condition(field: &str, operator: &Value, value: &Value) -> Result<Condition, serde_json::Error> {
    serde_json::from_value(json!({ "field": field, "operator": operator, "value": value }))
}

/// Compiles one condition on a field and asks whether it exists.
fn compile_field(field: &str) -> Result<Conditions, String> {
    let condition = Condition { field: field.to_owned(), operator: Operator::Exists, value: None };
    Conditions::compile(&[condition]).map_err(|problems| problems[0].to_string())
}

#[test]
fn conditions() {
    let file: Value = serde_json::from_str(include_str!("../testdata/conditions.json")).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let condition = condition(case[0].as_str().unwrap(), &case[1], &case[2]).unwrap();
        let compiled = Conditions::compile(std::slice::from_ref(&condition)).unwrap();
        let expected = case[3].as_bool().unwrap();
        assert_eq!(compiled.evaluate(&file["document"]), expected, "{case}");
        let leaves = compiled.explain(&file["document"]);
        assert_eq!((leaves.len(), leaves[0].matched), (1, expected), "{case}");
        assert_eq!(leaves[0].operator.as_str(), case[1], "{case}");
        // The same condition survives being stored.
        let stored = serde_json::to_string(&condition).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&stored).unwrap(), condition);
    }
}

#[test]
fn refused() {
    let cases: Value = serde_json::from_str(include_str!("../testdata/refused.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let condition: Condition = serde_json::from_value(case[0].clone()).unwrap();
        let problems = Conditions::compile(&[condition]).unwrap_err();
        assert_eq!(problems.len(), 1, "{case}: {problems:?}");
        assert_eq!(problems[0].pointer, case[1], "{case}: {problems:?}");
        assert!(problems[0].message.contains(case[2].as_str().unwrap()), "{case}: {problems:?}");
        assert!(
            !problems[0].message.contains('\n')
                || case[0]["field"].as_str().unwrap().contains('\n')
        );
    }
}

#[test]
fn all_problems_come_at_once_with_their_places() {
    let list: Vec<Condition> = serde_json::from_value(json!([
        { "field": "a", "operator": "eq", "value": 1 },
        { "field": "a..b", "operator": "in", "value": 1 },
        { "field": "b", "operator": "matches", "value": "[" },
    ]))
    .unwrap();
    let problems = Conditions::compile(&list).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(places, ["/1/field", "/1/value", "/2/value"]);
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let error = condition("a", &json!("equals"), &json!(1)).unwrap_err().to_string();
    let names = "`eq`, `neq`, `gt`, `gte`, `lt`, `lte`, `contains`, `startsWith`, `endsWith`, `matches`, `in`, `exists`";
    assert_eq!(error, format!("unknown variant `equals`, expected one of {names}"));
    let error = serde_json::from_str::<Condition>(r#"{"field":"a","operator":"eq","values":1}"#)
        .unwrap_err();
    assert!(error.to_string().starts_with("unknown field `values`"), "{error}");
}

#[test]
fn a_value_of_null_is_not_no_value() {
    let parse = |text: &str| serde_json::from_str::<Condition>(text).unwrap();
    let null = parse(r#"{"field":"a","operator":"eq","value":null}"#);
    let none = parse(r#"{"field":"a","operator":"exists"}"#);
    assert_eq!((null.value.clone(), none.value.clone()), (Some(Value::Null), None));
    assert_eq!(
        serde_json::to_string(&null).unwrap(),
        r#"{"field":"a","operator":"eq","value":null}"#
    );
    assert_eq!(serde_json::to_string(&none).unwrap(), r#"{"field":"a","operator":"exists"}"#);
}

#[test]
fn explanations_say_what_was_seen() {
    let list: Vec<Condition> = serde_json::from_value(json!([
        { "field": "payload.absent", "operator": "exists" },
        { "field": "payload.null", "operator": "eq", "value": 1 },
        { "field": "$.payload.list[*]", "operator": "gt", "value": 1 },
        { "field": "payload.long", "operator": "startsWith", "value": "x" },
        { "field": "payload.large", "operator": "contains", "value": 7 },
    ]))
    .unwrap();
    let document = json!({ "payload": {
        "null": null, "list": [1, 2], "long": "x".repeat(5_000), "large": vec![7; 5_000]
    } });
    let leaves = Conditions::compile(&list).unwrap().explain(&document);
    assert_eq!(
        serde_json::to_value(&leaves[..3]).unwrap(),
        json!([
            { "index": 0, "field": "payload.absent", "operator": "exists", "expected": true, "matched": false },
            { "index": 1, "field": "payload.null", "operator": "eq", "expected": 1, "actual": null, "matched": false },
            { "index": 2, "field": "$.payload.list[*]", "operator": "gt", "expected": 1, "actual": [1, 2], "matched": true },
        ])
    );
    let long = format!("{}… (5000 characters)", "x".repeat(200));
    assert_eq!(leaves[3].actual, Some(json!(long)));
    assert_eq!(leaves[4].actual, Some(json!("(an array of 5000)")));
    assert!(leaves[3].matched && leaves[4].matched);
}

#[test]
fn an_empty_list_holds() {
    let none = Conditions::compile(&[]).unwrap();
    assert!(
        none.is_empty() && none.evaluate(&Value::Null) && none.explain(&Value::Null).is_empty()
    );
}

#[test]
fn limits() {
    let one = Condition { field: "a".to_owned(), operator: Operator::Exists, value: None };
    assert!(Conditions::compile(&vec![one.clone(); CONDITIONS_MAX]).is_ok());
    let problems = Conditions::compile(&vec![one; CONDITIONS_MAX + 1]).unwrap_err();
    assert_eq!(problems[0].to_string(), ": there are 101 conditions, but 100 are the limit");

    assert!(compile_field(&"a".repeat(FIELD_LENGTH_MAX)).is_ok());
    assert!(compile_field(&"a".repeat(FIELD_LENGTH_MAX + 1)).unwrap_err().contains("4097 bytes"));
    assert!(compile_field(&vec!["a"; 129].join(".")).unwrap_err().contains("129 steps"));

    let nested =
        |depth: usize| format!("$[?{}@.a{}]", "(".repeat(depth - 1), ")".repeat(depth - 1));
    assert!(compile_field(&nested(FIELD_NESTING_MAX)).is_ok());
    assert!(compile_field(&nested(FIELD_NESTING_MAX + 1)).unwrap_err().contains("deeper than 32"));
    assert!(
        compile_field(&format!("$[?{}", "(".repeat(4_000))).unwrap_err().contains("deeper than 32")
    );
    // Brackets in a name are not nesting.
    assert!(compile_field(&format!("$['{}']", "[(".repeat(500))).is_ok());

    let regex = |pattern: &str| {
        condition("a", &json!("matches"), &json!(pattern))
            .map(|condition| Conditions::compile(&[condition]))
            .unwrap()
    };
    assert!(regex(&"a".repeat(REGEX_LENGTH_MAX)).is_ok());
    let problems = regex(&"a".repeat(REGEX_LENGTH_MAX + 1)).unwrap_err();
    assert!(problems[0].message.contains("1025 bytes"));
    // What people write stays below the limit of memory.
    let email = r"^[a-z0-9.+-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{2,63}){1,3}$";
    for sensible in [email, r"^\p{L}{1,40}$", r"(?i)^\w{3,32}$", r"\b\d{4}-\d{2}-\d{2}T"] {
        assert!(regex(sensible).is_ok(), "{sensible}");
    }
}

#[test]
fn a_path_that_multiplies_is_stopped_and_does_not_match() {
    // Each `[*,*]` selects every value twice: two to the power of 25 in the end.
    let document = (0..30).fold(json!(1), |inner, _| json!([inner]));
    let path = format!("${}", "[*,*]".repeat(25));
    for (operator, value) in [("eq", json!(1)), ("neq", json!(1)), ("exists", json!(false))] {
        let conditions =
            Conditions::compile(&[condition(&path, &json!(operator), &value).unwrap()]).unwrap();
        assert!(
            !conditions.evaluate(&document),
            "what cannot be decided does not hold: {operator}"
        );
        let leaf = &conditions.explain(&document)[0];
        assert!(!leaf.matched && leaf.actual.is_none());
        assert!(leaf.error.as_deref().unwrap().contains("stopped after 2000000 steps"));
    }
}

#[test]
fn a_walk_over_the_largest_events_is_not_stopped() {
    let wide = json!({ "items": vec![0; 500_000], "last": { "id": 1 } });
    assert_eq!(compile_field("$..id").unwrap().explain(&wide)[0].actual, Some(json!(1)));
    let deep = (0..127).fold(json!({ "id": 1 }), |inner, _| json!([inner]));
    assert_eq!(compile_field("$..[?@.id].id").unwrap().explain(&deep)[0].actual, Some(json!(1)));
}

#[test]
fn index() {
    let file: Value = serde_json::from_str(include_str!("../testdata/index.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = file["rules"].as_array().unwrap().iter().map(|rule| Rule {
        org: text(&rule[0]),
        type_pattern: text(&rule[1]),
        priority: rule[2].as_i64().unwrap() as i32,
        order: text(&rule[3]),
        item: text(&rule[3]),
    });
    let index = RuleIndex::build(rules.collect());
    for case in file["cases"].as_array().unwrap() {
        let found = index.candidates(&text(&case[0]), &text(&case[1]));
        assert_eq!(json!(found), case[2], "{case}");
    }
    let refused: Vec<_> = index.refused().iter().map(|refused| refused.order.as_str()).collect();
    assert_eq!(json!(refused), file["refused"]);
    assert_eq!((index.len(), index.is_empty()), (12, false));
    assert!(RuleIndex::<()>::default().candidates("acme", "message.received").is_empty());
}
