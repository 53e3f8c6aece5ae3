//! Whatever is written as a schema is answered, and what is taken is what it seems.

use omni_schema::{Policy, Reading, Schema, Step, compare, places, reading};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

const KEYWORDS: &[&str] = &[
    "$ref",
    "$dynamicRef",
    "$id",
    "$anchor",
    "$schema",
    "$defs",
    "definitions",
    "type",
    "enum",
    "const",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "required",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
    "dependentRequired",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "contentSchema",
    "a",
    "b",
];

const TEXTS: &[&str] = &[
    "#",
    "#/",
    "#/$defs/a",
    "#/$defs/b",
    "#/definitions/a",
    "#/properties/a",
    "#a",
    "",
    "a",
    "https://example.com/x",
    "file:///x",
    "#/%zz",
    "~",
    "object",
    "array",
    "string",
    "^a",
    "(",
    "[ab]*a[ab]{500}c",
    "regex",
    "date-time",
    "é",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2020-12/schema",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..5).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(TEXTS).prop_map(Value::from),
    ]
}

/// Any JSON, with keywords for names.
fn soup() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => vec((select(KEYWORDS), inner), 0..6).prop_map(object),
        ]
    })
}

/// Mostly schemas: keywords with values of the right kind, and references everywhere.
fn likely() -> impl Strategy<Value = Value> {
    let simple = prop_oneof![
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        select(&["object", "array", "string", "integer", "null"][..])
            .prop_map(|kind| json!({ "type": kind })),
        select(&["#", "#/$defs/a", "#/$defs/b", "#/properties/a"][..])
            .prop_map(|to| json!({ "$ref": to })),
        (0..4).prop_map(
            |bound| json!({ "maxLength": bound, "minItems": bound, "maxProperties": bound })
        ),
        Just(json!({ "required": ["a"], "uniqueItems": true })),
        Just(json!({ "enum": ["x", 1, null, []] })),
        Just(json!({ "pattern": "^[ab]+$", "multipleOf": 1e-300 })),
    ];
    simple.prop_recursive(5, 60, 4, |inner| {
        let one = select(
            &[
                "additionalProperties",
                "unevaluatedProperties",
                "items",
                "unevaluatedItems",
                "contains",
                "not",
                "if",
                "then",
                "else",
                "propertyNames",
            ][..],
        );
        let many = select(&["allOf", "anyOf", "oneOf", "prefixItems"][..]);
        let named = select(&["properties", "patternProperties", "dependentSchemas", "$defs"][..]);
        let names = select(&["a", "b"][..]);
        let keyword = prop_oneof![
            (one, inner.clone()).prop_map(|(keyword, value)| (keyword, value)),
            (many, vec(inner.clone(), 1..3))
                .prop_map(|(keyword, values)| (keyword, Value::from(values))),
            (named, vec((names, inner), 1..3))
                .prop_map(|(keyword, members)| (keyword, object(members))),
        ];
        vec(keyword, 0..4).prop_map(object)
    })
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![leaf(), select(&["a", "b", "x"][..]).prop_map(Value::from)];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((select(&["a", "b", "c"][..]), inner), 0..4).prop_map(object),
        ]
    })
}

fn object(members: Vec<(&str, Value)>) -> Value {
    Value::Object(
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
    )
}

/// Whether the path leads somewhere in a document.
fn holds(document: &Value, path: &[Step]) -> bool {
    let Some((step, rest)) = path.split_first() else { return true };
    let inner: Vec<&Value> = match document {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    match step {
        Step::Name(name) => {
            document.as_object().and_then(|it| it.get(name)).is_some_and(|it| holds(it, rest))
        }
        Step::Item => document.is_array() && inner.iter().any(|it| holds(it, rest)),
        Step::Any => inner.iter().any(|it| holds(it, rest) || holds(it, path)),
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        select(&["a", "b", "c"][..]).prop_map(|name| Step::Name(name.to_owned())),
        Just(Step::Item),
        Just(Step::Any),
    ]
}

proptest! {
    #[test]
    fn any_json_is_answered(value in soup()) {
        if let Err(unusable) = Schema::new(value) {
            prop_assert!(!unusable.reason.is_empty());
        }
    }

    #[test]
    fn what_is_taken_answers_any_document(value in likely(), documents in vec(document(), 1..6)) {
        if let Ok(schema) = Schema::new(value) {
            for document in documents {
                let violations = schema.validator().violations(&document);
                prop_assert_eq!(schema.validator().is_valid(&document), violations.is_empty());
            }
            places(&schema);
            let same = compare(&schema, &schema, Policy::Exact);
            prop_assert!(same.findings.is_empty());
        }
    }

    #[test]
    fn never_is_said_only_of_what_no_fitting_document_has(
        value in likely(),
        documents in vec(document(), 1..20),
        path in vec(step(), 0..4),
    ) {
        if let Ok(schema) = Schema::new(value.clone()) && reading(&schema, &path) == Reading::Never {
            for document in documents {
                let fits = schema.validator().is_valid(&document);
                prop_assert!(!(fits && holds(&document, &path)), "{value} {document} {path:?}");
            }
        }
    }
}
