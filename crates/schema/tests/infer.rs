//! What documents suggest: required-ness, types, enumerations, formats and maps by evidence, in bounded memory.

use omni_schema::{Inference, Inferred, SCHEMA_BYTES_MAX, Schema};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn seen(documents: impl IntoIterator<Item = Value>) -> Inference {
    let mut inference = Inference::default();
    for document in documents {
        inference.add(&document);
    }
    inference
}

fn infer(documents: impl IntoIterator<Item = Value>) -> Inferred {
    seen(documents).finish()
}

fn says(inferred: &Inferred, sentence: &str) -> bool {
    inferred.evidence.iter().any(|said| said == sentence)
}

/// The schema of the property `x` of documents that hold these values one by one.
fn of_values(values: impl IntoIterator<Item = Value>) -> Value {
    let inferred = infer(values.into_iter().map(|value| json!({ "x": value })));
    inferred.schema["properties"]["x"].clone()
}

#[test]
fn what_is_in_every_document_is_required_and_the_reason_is_told() {
    let with = |n: u64| json!({ "id": n, "from": { "id": n, "note": "hi" } });
    let mut documents: Vec<_> = (0..1200).map(with).collect();
    documents.push(json!({ "id": 1, "from": { "id": 1 } }));
    documents.push(json!({ "id": 2 }));
    let inferred = infer(documents);

    assert_eq!(inferred.documents, 1202);
    assert_eq!(inferred.schema["required"], json!(["id"]));
    assert_eq!(inferred.schema["properties"]["from"]["required"], json!(["id"]));
    assert!(says(&inferred, "/id is required: in all 1,202 documents"));
    assert!(says(&inferred, "/from/id is required: in all 1,201 documents that have /from"));
    assert!(says(
        &inferred,
        "/from/note is not required: 1 of 1,201 documents that have /from are without it"
    ));
    assert!(says(&inferred, "/from is not required: 1 of 1,202 documents are without it"));
}

#[test]
fn two_documents_make_nothing_required() {
    let inferred = infer([json!({ "a": 1 }), json!({ "a": 1 })]);
    assert_eq!(inferred.schema.get("required"), None);
    assert_eq!(infer(vec![json!({ "a": 1 }); 3]).schema["required"], json!(["a"]));
}

#[test]
fn no_documents_suggest_anything() {
    let inferred = Inference::default().finish();
    assert_eq!(inferred.documents, 0);
    assert_eq!(
        inferred.schema,
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" })
    );
}

#[test]
fn integers_stay_integers_until_one_has_a_fraction_or_is_too_large() {
    assert_eq!(
        of_values([json!(1), json!(u64::MAX), json!(i64::MIN)]),
        json!({ "type": "integer" })
    );
    assert_eq!(of_values([json!(1), json!(1.0)]), json!({ "type": "number" }));
    let large: Value = serde_json::from_str("184467440737095516160").expect("a number");
    assert_eq!(of_values([json!(1), large]), json!({ "type": "number" }));
}

#[test]
fn several_types_are_a_union_and_too_many_leave_the_place_open() {
    assert_eq!(
        of_values([json!(null), json!("a"), json!(1)]),
        json!({ "type": ["null", "integer", "string"] })
    );
    assert_eq!(of_values([json!(null)]), json!({ "type": "null" }));
    assert_eq!(of_values([json!(true), json!("a"), json!(1), json!([1])]), json!({}));
    let inferred = infer((0..10).map(|n| if n == 3 { json!("x") } else { json!(n) }));
    assert_eq!(
        inferred.evidence,
        ["the document has several types: integer 9 times, string 1 time"]
    );
}

#[test]
fn a_few_words_in_many_documents_are_an_enumeration() {
    let status = |n: u64| json!({ "status": if n.is_multiple_of(3) { "open" } else { "paid" } });
    let inferred = infer((0..1204).map(status));
    assert_eq!(
        inferred.schema["properties"]["status"],
        json!({ "type": "string", "enum": ["open", "paid"] })
    );
    assert!(says(&inferred, "/status is one of paid, open: 2 values in 1,204 documents"));

    let with_null = (0..60).map(|n| if n < 3 { json!(null) } else { json!(["a", "b"][n % 2]) });
    assert_eq!(
        of_values(with_null),
        json!({ "type": ["null", "string"], "enum": ["a", "b", null] })
    );
}

#[test]
fn what_is_not_shown_by_evidence_is_no_enumeration() {
    let two = |left: &str, right: &str, n: usize| {
        (0..n).map(|n| json!(if n % 2 == 0 { left } else { right })).collect::<Vec<_>>()
    };
    let no_enumeration = [
        ("too few", two("a", "b", 49)),
        ("one word", two("a", "a", 100)),
        ("free text", two("call me back", "no answer", 100)),
        ("ids", two("cus_9482731", "cus_2837461", 100)),
        ("days", two("2026-01-01", "2026-01-02", 100)),
        ("eleven words", (0..110).map(|n| json!(format!("w{}", n % 11))).collect()),
        ("one word seen once", [two("a", "b", 100), vec![json!("Mona")]].concat()),
    ];
    for (why, values) in no_enumeration {
        assert_eq!(of_values(values).get("enum"), None, "{why}");
    }
}

#[test]
fn names_of_people_are_never_shown() {
    for property in ["name", "firstName", "user_email", "assigned-to", "HTTPUser", "login"] {
        let inferred =
            infer((0..100).map(|n| json!({ property: if n % 2 == 0 { "anna" } else { "otto" } })));
        assert!(!format!("{inferred:?}").contains("otto"), "{property}");
    }
    let once = infer((0..100).map(|n| json!({ "x": if n == 50 { "secretive" } else { "usual" } })));
    assert!(!format!("{once:?}").contains("secretive"));
    let one_document = json!(vec!["secretive"; 60]);
    let repeated = infer((0..60).map(|n| if n == 9 { one_document.clone() } else { json!(["a"]) }));
    assert!(!format!("{repeated:?}").contains("secretive"), "one document is one person's word");
    assert!(!format!("{:?}", seen([json!("secretive")])).contains("secretive"));
}

#[test]
fn a_format_is_proposed_when_all_texts_have_it() {
    let formats = [
        ("date-time", "2026-02-28T23:59:59.123Z", "2026-02-30T00:00:00Z"),
        ("date-time", "2024-02-29T00:00:00+05:30", "2024-02-29 00:00:00Z"),
        ("date", "2024-02-29", "2023-02-29"),
        ("uuid", "0191f3a0-7c1b-7e9a-9b1c-0123456789ab", "0191f3a0-7c1b-7e9a-9b1c-0123456789a"),
        ("email", "mona.lisa+x@example.com", "mona@localhost"),
        ("ipv4", "192.168.0.1", "192.168.0.256"),
        ("uri", "https://example.com:8080/a%20b?c=d#e", "https://example.com/a b"),
    ];
    for (format, good, bad) in formats {
        let expected = json!({ "type": "string", "format": format });
        assert_eq!(of_values(vec![json!(good); 5]), expected, "{good}");
        assert_eq!(of_values(vec![json!(good); 4]).get("format"), None, "{good}");
        let mut spoiled = vec![json!(good); 50];
        spoiled.push(json!(bad));
        assert_eq!(of_values(spoiled).get("format"), None, "{bad}");
    }
}

#[test]
fn items_of_all_arrays_share_one_schema() {
    let inferred =
        infer((0..3).map(|n| json!({ "items": [{ "sku": "a1", "n": n }, { "n": 1.5 }] })));
    assert_eq!(
        inferred.schema["properties"]["items"],
        json!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": { "n": { "type": "number" }, "sku": { "type": "string" } },
                "required": ["n"],
            },
        })
    );
    assert!(says(&inferred, "/items/*/n is required: in all 6 objects at /items/*"));
    assert_eq!(of_values(vec![json!([]); 3]), json!({ "type": "array" }));
}

#[test]
fn keys_like_ids_are_those_of_a_map_and_are_not_shown() {
    let person = |n: u32| json!({ "total": 1, format!("mona{n}@example.com"): { "n": n }, format!("{n}"): { "n": 1 } });
    let inferred = infer((0..4).map(person));
    let entry = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    assert_eq!(inferred.schema["properties"], json!({ "total": { "type": "integer" } }));
    assert_eq!(inferred.schema["additionalProperties"], entry);
    assert!(!format!("{inferred:?}").contains("mona"));
    assert!(says(
        &inferred,
        "the document has keys like ids beside its properties: 8 values in 4 objects"
    ));
}

#[test]
fn many_rare_keys_are_those_of_a_map() {
    let scores = |n: u32| json!({ "scores": { format!("player{n}"): n, format!("guest{n}"): 1 } });
    let inferred = infer((0..100).map(scores));
    assert_eq!(
        inferred.schema["properties"]["scores"],
        json!({ "type": "object", "additionalProperties": { "type": "integer" } })
    );
    let few = infer((0..7).map(scores));
    assert_eq!(few.schema["properties"]["scores"].get("additionalProperties"), None);
}

#[test]
fn more_keys_than_are_held_become_a_map_beside_what_is_always_there() {
    let mut inference = Inference::default();
    for n in 0..300 {
        let mut document = json!({ "id": n });
        for key in 0..10 {
            document[format!("{}x{}", "k".repeat(key + 1), n)] = json!([true]);
        }
        inference.add(&document);
    }
    let schema = inference.finish().schema;
    assert_eq!(schema["properties"], json!({ "id": { "type": "integer" } }));
    assert_eq!(schema["required"], json!(["id"]));
    assert_eq!(
        schema["additionalProperties"],
        json!({ "type": "array", "items": { "type": "boolean" } })
    );
}

#[test]
fn deep_and_wide_documents_end_in_a_schema_that_can_be_used() {
    let deep = (0..60).fold(json!(1), |inner, n| json!({ "a": [inner], format!("b{n}"): n }));
    let wide = |tag: &str, width: usize| {
        let keys = (0..width).map(|n| format!("{tag}{}{}", "\"".repeat(40), letters(n)));
        Value::Object(keys.map(|key| (key, json!({ "p\\": [{ "q": 1 }] }))).collect::<Map<_, _>>())
    };
    let wide_twice = Value::Object(
        (0..150).map(|n| (format!("w{}", letters(n)), wide(&letters(n), 150))).collect(),
    );
    for (documents, open) in
        [(vec![deep; 3], true), (vec![wide("k", 199); 3], false), (vec![wide_twice; 3], true)]
    {
        let inferred = infer(documents.clone());
        assert!(inferred.schema.to_string().len() <= SCHEMA_BYTES_MAX);
        assert!(inferred.evidence.len() <= 100);
        assert_eq!(inferred.evidence[0].contains("left open"), open, "{:?}", inferred.evidence[0]);
        let schema = Schema::new(inferred.schema).expect("a schema that may be used");
        assert!(documents.iter().all(|document| schema.validator().is_valid(document)));
    }
}

#[test]
fn what_was_not_learned_is_never_claimed_by_what_comes_later() {
    let keys = |width: usize, value: Value| {
        Value::Object((0..width).map(|n| (letters(n), value.clone())).collect())
    };
    let mut filler = keys(60, keys(180, json!(1)));
    filler["a"] = keys(200, json!(1));
    let fold = json!({ "a": { "a": { "onemore": 1 } } });
    let table = [
        ("folded keys", vec![keys(250, json!(1))], vec![json!({ "a": "x", "jj": "x" }); 3]),
        (
            "keys passed over",
            vec![json!({ "a": filler, "zz": 1 }), fold.clone()],
            vec![json!({ "zz": "x" }); 3],
        ),
        (
            "items passed over",
            vec![json!({ "zz": [] }), json!({ "a": filler, "zz": [1] }), fold],
            vec![json!({ "zz": ["x"] }); 3],
        ),
    ];
    for (what, left, right) in table {
        let (mut forth, mut back) = (seen(left.clone()), seen(right.clone()));
        forth.merge(seen(right.clone()));
        back.merge(seen(left.clone()));
        let one_by_one = seen(left.iter().chain(&right).cloned());
        for (how, inference) in [("forth", forth), ("back", back), ("one by one", one_by_one)] {
            let schema = jsonschema::validator_for(&inference.finish().schema).expect("a schema");
            for document in left.iter().chain(&right) {
                assert!(schema.is_valid(document), "{what}, {how}");
            }
        }
    }
}

#[test]
fn the_most_surprising_comes_first() {
    let document = |n: u32| {
        json!({ "id": n, "kind": if n.is_multiple_of(2) { "a" } else { "b" }, "x": if n == 7 { json!("?") } else { json!(n) },
            "rare": if n == 9 { json!(null) } else { json!(true) } })
    };
    let evidence = infer((0..100).map(document)).evidence;
    assert_eq!(evidence[0], "/x has several types: integer 99 times, string 1 time");
    assert_eq!(evidence[1], "/rare may be null: 1 of 100 times");
    assert_eq!(evidence[2], "/kind is one of a, b: 2 values in 100 documents");
    assert_eq!(evidence.len(), 7);
}

/// A number in letters, which are no digits of an id.
fn letters(n: usize) -> String {
    n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

fn text() -> impl Strategy<Value = String> {
    let known = [
        "open",
        "paid",
        "void",
        "Mona Lisa",
        "",
        "2026-01-31",
        "2026-01-31T10:00:00Z",
        "10.0.0.1",
        "0191f3a0-7c1b-7e9a-9b1c-0123456789ab",
        "mona@example.com",
        "https://example.com/x?y=%20",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[abc]",
        1 => "k[0-9]{1,7}",
        1 => Just("0191f3a0-7c1b-7e9a-9b1c-0123456789ab".to_owned()),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Documents, some of them many times, in no order.
fn documents() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec((value(), prop::sample::select(&[1_usize, 2, 30][..])), 0..8)
        .prop_map(|some| {
            some.into_iter().flat_map(|(value, times)| vec![value; times]).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn every_document_fits_the_schema_that_was_inferred_from_it(documents in documents()) {
        let schema = Schema::new(infer(documents.clone()).schema).expect("a schema that may be used");
        let strict = jsonschema::options().should_validate_formats(true).build(schema.value()).expect("a schema");
        for document in &documents {
            prop_assert!(schema.validator().is_valid(document), "{} {document}", schema.value());
            prop_assert!(strict.is_valid(document), "formats: {} {document}", schema.value());
        }
    }

    #[test]
    fn neither_order_nor_merging_changes_what_is_inferred(documents in documents(), at in 0_usize..50) {
        let forth = infer(documents.clone());
        prop_assert_eq!(&infer(documents.iter().rev().cloned()), &forth);
        let (left, right) = documents.split_at(at.min(documents.len()));
        let mut merged = seen(left.iter().cloned());
        merged.merge(seen(right.iter().cloned()));
        prop_assert_eq!(&merged.finish(), &forth);
    }
}

proptest! {
    // Few cases: each compiles a large schema.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(15) })]

    #[test]
    fn merging_what_reached_its_bounds_stays_true(
        left in prop::collection::vec(many_keys(), 1..3),
        right in prop::collection::vec(many_keys(), 1..3),
    ) {
        let mut merged = seen(left.clone());
        merged.merge(seen(right.clone()));
        let schema = Schema::new(merged.finish().schema).expect("a schema that may be used");
        for document in left.iter().chain(&right) {
            prop_assert!(schema.validator().is_valid(document));
        }
    }
}

/// Objects with so many keys that they become maps, with nested ones so wide that not all is learned.
fn many_keys() -> impl Strategy<Value = Value> {
    let inner = prop_oneof![Just(json!(1)), Just(json!("a")), Just(json!({ "a": [1], "b": null }))];
    let wide = (0_usize..300, 0_usize..220, inner).prop_map(|(from, width, inner)| {
        let keys = (from..from + width).map(|n| (format!("k{}", letters(n)), inner.clone()));
        Value::Object(keys.collect())
    });
    let wider = (wide.clone(), 0_usize..70).prop_map(|(wide, width)| {
        Value::Object((0..width).map(|n| (letters(n), wide.clone())).collect())
    });
    prop_oneof![2 => wide, 1 => wider]
}
