//! Event types out of OpenAPI 3.1 and AsyncAPI 3 documents and back into them.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use omni_schema::{Exported, Imported, Imports, Schema, export_asyncapi, export_openapi, import};
use proptest::prelude::*;
use serde_json::{Value, json};

const SHOP: &str = include_str!("../testdata/exchange/shop.openapi.json");
const FLEET: &str = include_str!("../testdata/exchange/fleet.asyncapi.json");

fn read(document: &str) -> Imports {
    import(&serde_json::from_str(document).expect("JSON")).expect("a document that can be read")
}

fn named<'a>(imports: &'a Imports, name: &str) -> &'a Imported {
    imports.types.iter().find(|imported| imported.name == name).expect("the type")
}

fn fits(schema: &Value, document: &Value) -> bool {
    let schema = Schema::new(schema.clone()).expect("a schema that may be used");
    schema.validator().is_valid(document)
}

/// A document with one webhook that has this schema, and these components.
fn webhook(schema: &Value, schemas: &Value) -> Value {
    json!({
        "openapi": "3.1.0",
        "webhooks": { "w": { "post": { "requestBody": { "content": { "application/json": { "schema": schema } } } } } },
        "components": { "schemas": schemas },
    })
}

/// Why the only webhook of a document is refused.
fn refusal(document: &Value) -> String {
    let imports = import(document).expect("a document that can be read");
    assert_eq!(imports.types, []);
    imports.refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn webhooks_come_in_with_all_they_refer_to() {
    let imports = read(SHOP);
    let mut names: Vec<_> = imports.types.iter().map(|imported| &*imported.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["category/changed", "customer.updated", "order.paid"]);

    let paid = named(&imports, "order.paid");
    assert_eq!(paid.description.as_deref(), Some("Sent once per payment."));
    let keys: Vec<_> = paid.schema["$defs"].as_object().expect("definitions").keys().collect();
    assert_eq!(keys, ["Card", "Line", "Money", "Payment", "Person.Customer", "Transfer", "price"]);
    let order = |last4: &str, amount: i64| {
        json!({ "id": "x", "payment": { "kind": "card", "last4": last4 }, "buyer": { "email": "a", "invitedBy": { "email": "b" } },
            "lines": [{ "sku": "a", "price": { "amount": amount, "currency": "EUR" } }] })
    };
    assert!(fits(&paid.schema, &order("1234", 5)));
    assert!(!fits(&paid.schema, &order("123", 5)));
    assert!(!fits(&paid.schema, &order("1234", -5)));
    let text = paid.schema.to_string();
    assert!(
        !text.contains("components") && !text.contains("discriminator") && !text.contains("xml")
    );

    let category = named(&imports, "category/changed");
    assert_eq!(category.description.as_deref(), Some("A category changed"));
    assert_eq!(category.schema["properties"]["children"]["items"], json!({ "$ref": "#" }));
    assert!(fits(&category.schema, &json!({ "name": "a", "children": [{ "name": "b" }] })));
    assert!(!fits(&category.schema, &json!({ "name": "a", "children": [{ "name": 1 }] })));

    let customer = named(&imports, "customer.updated");
    assert!(customer.schema.to_string().contains("data-not-a-reference"));
    assert!(fits(&customer.schema, &json!({ "customer": { "email": "a" }, "$ref": "x" })));
    assert!(!fits(&customer.schema, &json!({ "customer": { "email": "a" }, "$ref": 1 })));
    assert!(!fits(&customer.schema, &json!({ "customer": { "email": "a" }, "same": {} })));
}

#[test]
fn one_bad_webhook_does_not_hide_the_others() {
    let mut refused: Vec<_> = read(SHOP).refused.iter().map(ToString::to_string).collect();
    refused.sort();
    assert_eq!(
        refused,
        [
            "/components/schemas/Old/properties/note: has `nullable`, a word of OpenAPI 3.0; in 3.1 add \"null\" to its `type` instead",
            "/webhooks/stock.low: has no `post`: an event is sent with POST",
        ]
    );
}

#[test]
fn messages_come_in_once_each_under_their_names() {
    let imports = read(FLEET);
    let mut names: Vec<_> = imports.types.iter().map(|imported| &*imported.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["VehicleMoved", "maintenance.due", "vehicle.parked"]);
    let refused: Vec<_> = imports.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "/components/messages/Legacy/payload/schemaFormat: is in the format `application/vnd.apache.avro;version=1.9.0`; JSON Schema draft-07 and 2020-12 are read",
            "/components/messages/Snapshot: has the content type `avro/binary`; only JSON is read",
        ]
    );

    let moved = named(&imports, "VehicleMoved");
    assert_eq!(moved.description.as_deref(), Some("A vehicle moved"));
    assert_eq!(moved.schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let at = |at: Value| json!({ "vehicle": { "id": "a", "trailer": { "id": "b" } }, "at": at });
    assert!(fits(&moved.schema, &at(json!([1, 2]))));
    assert!(!fits(&moved.schema, &at(json!([1, "2"]))));
    assert!(!fits(&moved.schema, &at(json!([1, 2, 3]))), "items of draft-07");

    let due = named(&imports, "maintenance.due");
    assert_eq!(due.description.as_deref(), Some("From the message."));
    assert!(fits(&due.schema, &json!({ "inDays": 3, "vehicle": { "id": "a" } })));
    assert!(!fits(&due.schema, &json!({ "inDays": 3 })));
    assert_eq!(
        named(&imports, "vehicle.parked").description.as_deref(),
        Some("A vehicle was parked")
    );
}

#[test]
fn other_documents_are_refused_with_what_to_do() {
    let table = [
        (json!({ "openapi": "3.0.3" }), "/openapi: is OpenAPI 3.0.3: convert the document to 3.1"),
        (json!({ "swagger": "2.0" }), "/swagger: is Swagger 2"),
        (
            json!({ "asyncapi": "2.6.0" }),
            "/asyncapi: is AsyncAPI 2.6.0: convert the document to 3.0",
        ),
        (json!({ "openapi": "3.10.0" }), "/openapi: is OpenAPI 3.10.0"),
        (json!({ "openapi": "3.1.0", "paths": {} }), "the document: has no `webhooks`"),
        (json!({ "openapi": "3.1.0", "webhooks": [] }), "/webhooks: must be an object"),
        (
            json!({ "openapi": "3.1.0", "webhooks": {}, "jsonSchemaDialect": "x" }),
            "/jsonSchemaDialect: names a dialect",
        ),
        (json!({ "asyncapi": "3.0.0", "channels": {} }), "the document: has no messages"),
        (json!([1]), "the document: is neither"),
        (json!({ "openapi": 3.1 }), "the document: is neither"),
    ];
    for (document, expected) in table {
        let refused = import(&document).expect_err(expected).to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[test]
fn what_is_wrong_in_a_webhook_is_told_with_its_place() {
    let schema_at = "/webhooks/w/post/requestBody/content/application~1json/schema";
    let table = [
        (
            json!({ "$ref": "https://example.com/x.json" }),
            "refers to `https://example.com/x.json`, which is outside",
        ),
        (
            json!({ "not": { "$ref": "other.json#/x" } }),
            "/not: refers to `other.json#/x`, which is outside",
        ),
        (
            json!({ "not": { "$ref": "#/components/schemas/None" } }),
            "/not: refers to a place that is not there",
        ),
        (json!({ "$ref": "#nowhere" }), "refers to an anchor that is not there"),
        (json!({ "$ref": 5 }), "has a `$ref` that is not a text"),
        (json!({ "not": { "$ref": "#%FF" } }), "/not: has a `$ref` that is not UTF-8"),
        (json!({ "$dynamicRef": "#x" }), "has `$dynamicRef`"),
        (json!({ "properties": { "a/b": 5 } }), "/properties/a~1b: is no schema"),
        (
            json!({ "$schema": "http://example.com/mine" }),
            "/$schema: names a dialect that is not read",
        ),
    ];
    for (schema, expected) in table {
        let refused = refusal(&webhook(&schema, &json!({})));
        assert!(refused.starts_with(schema_at) && refused.contains(expected), "{refused}");
    }
    for (place, expected) in [
        ("#/openapi", "/openapi: is referred to as a schema and is none"),
        ("#/components", "/components: is referred to as a schema and is none"),
        ("#/components/schemas", "/components/schemas: is referred to as a schema and is none"),
        (
            "#/components/schemas/A/properties",
            "/components/schemas/A/properties: is referred to as",
        ),
        ("#/components/schemas/A/enum/0", "/components/schemas/A/enum/0: is referred to as"),
        ("#", ": is referred to as a schema and is none"),
    ] {
        let schemas = json!({ "A": { "properties": {}, "enum": [{ "type": "string" }] } });
        let refused = refusal(&webhook(&json!({ "not": { "$ref": place } }), &schemas));
        assert!(refused.contains(expected), "{refused}");
        let refused = refusal(&webhook(&json!({ "$ref": place }), &schemas));
        assert!(refused.contains(expected), "{refused}");
    }
    let content = json!({ "application/xml": {} });
    let document = json!({ "openapi": "3.1.0", "webhooks": { "w": { "post": { "requestBody": { "content": content } } } } });
    assert_eq!(
        refusal(&document),
        "/webhooks/w/post/requestBody/content: has neither application/json nor another JSON type"
    );
}

#[test]
fn names_of_schemas_and_anchors_are_followed() {
    let schemas = json!({
        "Named": { "$id": "https://example.com/named", "type": "object",
            "properties": { "inner": { "$ref": "#/$defs/inner" }, "anchored": { "$ref": "#here" } },
            "$defs": { "inner": { "type": "integer" }, "a": { "$anchor": "here", "type": "string" } } },
        "Lenient": { "$id": "https://example.com/lenient", "properties": { "n": { "$ref": "#/components/schemas/Number" } } },
        "Number": { "type": "number" },
    });
    let schema = json!({ "allOf": [{ "$ref": "https://example.com/named" }, { "$ref": "#/components/schemas/Lenient" },
        { "properties": { "direct": { "$ref": "https://example.com/named#/$defs/inner" } } }] });
    let chained = json!({ "Outer": { "$id": "urn:outer", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "type": "null" } } } });
    let imports =
        import(&webhook(&json!({ "$ref": "#/components/schemas/Outer/$defs/a" }), &chained));
    assert_eq!(imports.expect("a document").types[0].schema, json!({ "type": "null" }));
    let imports = import(&webhook(&schema, &schemas)).expect("a document");
    assert_eq!(imports.refused, []);
    let schema = &imports.types[0].schema;
    assert!(!schema.to_string().contains("example.com"));
    for (document, good) in [
        (json!({ "inner": 1, "anchored": "a", "n": 1.5, "direct": 2 }), true),
        (json!({ "inner": "1" }), false),
        (json!({ "anchored": 1 }), false),
        (json!({ "n": "1" }), false),
        (json!({ "direct": "2" }), false),
    ] {
        assert_eq!(fits(schema, &document), good, "{document}");
    }
}

#[test]
fn hostile_documents_end_in_a_reason() {
    let circle = json!({ "A": { "$ref": "#/components/schemas/B" }, "B": { "$ref": "#/components/schemas/A" } });
    let refused = refusal(&webhook(&json!({ "$ref": "#/components/schemas/A" }), &circle));
    assert!(refused.ends_with("refers to itself in a circle"), "{refused}");
    let kept = import(&webhook(&json!({ "not": { "$ref": "#/components/schemas/A" } }), &circle))
        .expect("a document");
    let unusable = Schema::new(kept.types[0].schema.clone()).expect_err("a circle");
    assert!(
        unusable.pointer.starts_with("/$defs") || unusable.pointer.starts_with("/not"),
        "{unusable}"
    );

    let deep = (0..500).fold(json!(true), |inner, _| json!({ "not": inner }));
    assert!(refusal(&webhook(&deep, &json!({}))).ends_with("is nested deeper than 64 levels"));
    let deep = (0..500).fold(json!(1), |inner, _| json!([inner]));
    assert!(
        refusal(&webhook(&json!({ "const": deep }), &json!({})))
            .ends_with("is nested deeper than 64 levels")
    );
    let long = json!({ "enum": ["x".repeat(300_000)] });
    assert!(refusal(&webhook(&long, &json!({}))).contains("is larger than 256 KiB"));

    let items = json!({ "openapi": "3.1.0", "webhooks": { "w": { "$ref": "#/webhooks/w" } } });
    assert_eq!(refusal(&items), "/webhooks/w: refers to itself in a circle");
    let many: serde_json::Map<_, _> = (0..1001).map(|n| (n.to_string(), json!({}))).collect();
    let many = import(&json!({ "openapi": "3.1.0", "webhooks": many })).expect_err("too many");
    assert_eq!(many.to_string(), "/webhooks: has more than 1000 entries: split the document");
}

#[test]
fn a_thousand_types_that_share_one_large_schema_are_read_up_to_a_limit() {
    let mut document = webhook(&json!({}), &json!({ "Large": { "const": "x".repeat(200_000) } }));
    let schema = json!({ "$ref": "#/components/schemas/Large" });
    let body = json!({ "post": { "requestBody": { "content": { "application/json": { "schema": schema } } } } });
    let webhooks: serde_json::Map<_, _> =
        (0..1000).map(|n| (n.to_string(), body.clone())).collect();
    document["webhooks"] = Value::Object(webhooks);
    let imports = import(&document).expect("a document");
    assert_eq!((imports.types.len(), imports.refused.len()), (83, 917));
    assert!(imports.refused[0].reason.contains("16 MiB together"));
}

/// Schemas with documents that fit and that do not.
fn table() -> Vec<(&'static str, Value, Vec<Value>, Vec<Value>)> {
    let tree = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/tree", "type": "object",
        "required": ["v"], "properties": { "v": { "$ref": "#/$defs/v" }, "next": { "$ref": "#" } },
        "$defs": { "v": { "$ref": "#/$defs/w" }, "w": { "type": "integer" } } });
    let tuple = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": [{ "$ref": "#/definitions/n" }],
        "additionalItems": false, "definitions": { "n": { "type": "number" } } });
    let anchored = json!({ "properties": { "a": { "$ref": "#there" } }, "$defs": { "x": { "$anchor": "there", "type": "null" } } });
    let resource = json!({ "properties": { "a": { "$ref": "inner" } },
        "$defs": { "i": { "$id": "inner", "$ref": "#/$defs/deep", "$defs": { "deep": { "type": "string" } } } } });
    vec![
        (
            "custom.tree",
            tree,
            vec![json!({ "v": 1, "next": { "v": 2 } })],
            vec![json!({ "v": 1, "next": {} }), json!({ "v": "1" })],
        ),
        ("custom.tuple", tuple, vec![json!([1])], vec![json!([1, 2]), json!(["1"])]),
        ("custom.anchored", anchored, vec![json!({ "a": null })], vec![json!({ "a": 1 })]),
        ("custom.resource", resource, vec![json!({ "a": "x" })], vec![json!({ "a": 1 })]),
        ("custom.any", json!(true), vec![json!(1)], vec![]),
        ("custom.none", json!(false), vec![], vec![json!(1)]),
        (
            "custom.a/b~c",
            json!({ "$ref": "#/$defs/a~1b", "$defs": { "a/b": { "type": "string" } } }),
            vec![json!("x")],
            vec![json!(1)],
        ),
        (
            "custom.a_b~c",
            json!({ "const": { "$ref": "#/nothing" } }),
            vec![json!({ "$ref": "#/nothing" })],
            vec![json!(1)],
        ),
        (
            "custom.words",
            json!({ "type": "string", "nullable": true, "discriminator": "x" }),
            vec![json!("a")],
            vec![json!(null)],
        ),
    ]
}

fn exported() -> Vec<Exported> {
    let export = |(name, schema, ..): (&str, Value, Vec<Value>, Vec<Value>)| Exported {
        name: name.to_owned(),
        description: name.ends_with('e').then(|| format!("About {name}.")),
        version: 2,
        schema,
    };
    table().into_iter().map(export).collect()
}

#[test]
fn what_goes_out_comes_in_again() {
    let types = exported();
    for document in [export_openapi("Omni", &types), export_asyncapi("Omni", &types)] {
        let imports = import(&document).expect("our own document");
        assert_eq!(imports.refused, []);
        assert_eq!(imports.types.len(), types.len());
        for ((name, _, good, bad), exported) in table().into_iter().zip(&types) {
            let imported = named(&imports, name);
            assert_eq!(
                imported.description.as_deref().filter(|text| *text != name),
                exported.description.as_deref()
            );
            assert!(
                good.iter().all(|document| fits(&imported.schema, document)),
                "{name} {}",
                imported.schema
            );
            assert!(
                !bad.iter().any(|document| fits(&imported.schema, document)),
                "{name} {}",
                imported.schema
            );
        }
    }
}

#[test]
fn references_of_what_goes_out_are_places_in_the_document() {
    let types = exported();
    for document in [export_openapi("Omni", &types), export_asyncapi("Omni", &types)] {
        let mut references = Vec::new();
        gather(&document, &mut references);
        assert!(references.len() > types.len());
        for reference in references {
            let place = reference.strip_prefix('#').expect("a local reference");
            assert!(place == "/nothing" || document.pointer(place).is_some(), "{reference}");
        }
    }
    let document = export_openapi("Omni", &types);
    assert_eq!(document["info"]["version"], "18");
    assert_eq!(
        document["components"]["schemas"]["custom.tree"]["properties"]["next"]["$ref"],
        "#/components/schemas/custom.tree"
    );
    assert!(document["components"]["schemas"]["custom.a_b_c-2"].is_object());
}

fn gather<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| gather(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| gather(value, references)),
        _ => {}
    }
}

#[test]
fn nothing_goes_out_as_a_document_all_the_same() {
    assert_eq!(import(&export_openapi("Omni", &[])).expect("a document"), Imports::default());
    assert_eq!(export_asyncapi("Omni", &[])["info"]["version"], "0");
}

/// All places in a document.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                places(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{place}"), all);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_spoiled_document_is_read_or_refused_and_what_comes_out_is_complete(
        shop in any::<bool>(),
        spoiled in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..7), 1..4),
    ) {
        let mut document: Value = serde_json::from_str(if shop { SHOP } else { FLEET }).expect("JSON");
        for (at, other, kind) in spoiled {
            let mut all = Vec::new();
            places(&document, "", &mut all);
            let new = match kind {
                0 => Value::Null,
                1 => json!({}),
                2 => json!([]),
                3 => json!("#/x"),
                4 => document.pointer(other.get::<String>(&all)).expect("a place").clone(),
                _ => json!({ "$ref": format!("#{}", other.get::<String>(&all)) }),
            };
            *document.pointer_mut(at.get::<String>(&all)).expect("a place") = new;
        }
        for imported in import(&document).unwrap_or_default().types {
            let definitions = if imported.schema.get("$schema").is_some() { "definitions" } else { "$defs" };
            let mut references = Vec::new();
            gather_applied(&imported.schema, &mut references);
            for reference in references {
                let name = reference.strip_prefix(&format!("#/{definitions}/"));
                let inside = name.is_some_and(|name| imported.schema[definitions].get(name).is_some());
                prop_assert!(reference == "#" || inside, "{reference} in {}", imported.schema);
            }
        }
    }
}

/// The references of a schema, without what only looks like one in its data.
fn gather_applied<'a>(schema: &'a Value, references: &mut Vec<&'a str>) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        match (keyword.as_str(), value) {
            ("$ref", value) => references.push(value.as_str().expect("a text")),
            ("properties" | "$defs" | "definitions" | "dependencies", Value::Object(members)) => {
                members.values().for_each(|value| gather_applied(value, references));
            }
            ("items" | "oneOf", Value::Array(items)) => {
                for value in items {
                    gather_applied(value, references);
                }
            }
            ("items" | "additionalItems" | "not", value) => gather_applied(value, references),
            _ => {}
        }
    }
}
