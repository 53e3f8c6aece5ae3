//! Types from documents and back.

use serde_json::{Value, json};

use super::{TYPES, post};
use crate::tests::Product;

fn webhook(schema: &Value) -> Value {
    let content = json!({ "application/json": { "schema": schema } });
    json!({ "post": { "description": "It happened.", "requestBody": { "content": content } } })
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Shop", "version": "1" },
        "webhooks": {
            "orderPaid": webhook(&json!({ "$ref": "#/components/schemas/Order" })),
            "order.paid": webhook(&json!(true)),
            "order lost": webhook(&json!({ "type": "nothing" })),
            "größe": webhook(&json!(true)),
            "silent": { "get": {} },
        },
        "components": { "schemas": {
            "Order": { "type": "object", "properties": { "total": { "type": "number" } }, "required": ["total"] },
        } },
    })
}

fn of<'a>(told: &'a Value, name: &str) -> &'a Value {
    let types = told["types"].as_array().unwrap();
    types.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {told}"))
}

#[tokio::test]
async fn each_type_of_a_document_is_registered_by_itself() {
    let product = Product::open().await;
    let import = format!("{TYPES}/import");
    let dry = json!({ "document": document(), "prefix": "custom.shop", "dryRun": true });
    let planned = post(&product, &import, &dry).await;
    assert_eq!(planned.status, 200, "{}", planned.text);
    assert_eq!(product.get(&format!("{TYPES}?namespace=custom")).await.json()["types"], json!([]));

    let body = json!({ "document": document(), "prefix": "custom.shop", "validation": "warn" });
    let told = post(&product, &import, &body).await.json();
    for told in [&planned.json(), &told] {
        assert_eq!(told["types"].as_array().unwrap().len(), 5, "{told}");
        let mut outcomes = Vec::new();
        for name in ["orderPaid", "order.paid"] {
            let one = of(told, name);
            assert_eq!(one["eventType"], "custom.shop.order.paid", "{told}");
            outcomes.push(one["outcome"] == "created");
            assert_eq!(one["outcome"].is_null(), one["problem"].is_object(), "{one}");
        }
        outcomes.sort_unstable();
        assert_eq!(outcomes, [false, true], "two names of one type: {told}");
        let lost = of(told, "order lost");
        assert_eq!(lost["problem"]["code"], "OM0002", "{lost}");
        assert!(
            lost["problem"]["errors"][0]["pointer"].as_str().unwrap().starts_with("/schema"),
            "{lost}"
        );
        assert_eq!(of(told, "größe").get("eventType"), None);
        let silent = told["types"].as_array().unwrap().last().unwrap();
        assert_eq!(
            silent["problem"]["errors"][0]["pointer"], "/document/webhooks/silent",
            "{silent}"
        );
    }
    let known = product.get(&format!("{TYPES}/custom.shop.order.paid")).await.json();
    assert_eq!(
        (&known["validation"], &known["description"]),
        (&json!("warn"), &json!("It happened."))
    );
}

#[tokio::test]
async fn an_import_is_held_against_what_is_there() {
    let product = Product::open().await;
    let import = format!("{TYPES}/import");
    let with = |kind: &str, dry: bool| {
        let schema =
            json!({ "type": "object", "properties": { "n": { "type": kind } }, "required": ["n"] });
        let document = json!({ "openapi": "3.1.0", "webhooks": { "a": webhook(&schema) } });
        json!({ "document": document, "dryRun": dry })
    };
    let told = async |body: Value| post(&product, &import, &body).await.json()["types"][0].clone();
    assert_eq!(told(with("number", false)).await["outcome"], "created");
    for dry in [true, false] {
        assert_eq!(told(with("number", dry)).await["outcome"], "unchanged");
        let refused = told(with("string", dry)).await;
        assert_eq!(refused["problem"]["code"], "OM0019", "{refused}");
        assert_eq!(refused["compared"]["compatible"], false, "{refused}");
        assert_eq!(refused["problem"].get("compared"), None, "it is told once: {refused}");
        let mut described = with("number", dry);
        described["validation"] = json!("off");
        assert_eq!(told(described).await["outcome"], "configured");
    }
    let mut system = with("number", true);
    system["prefix"] = json!("system");
    let webhooks = &mut system["document"]["webhooks"];
    webhooks["system.dead_letter"] = webhooks["a"].take();
    webhooks.as_object_mut().unwrap().remove("a");
    for dry in [true, false] {
        system["dryRun"] = json!(dry);
        let left_out = told(system.clone()).await;
        assert_eq!(left_out["outcome"], "builtIn", "{left_out}");
        assert_eq!(left_out.get("problem"), None, "{left_out}");
    }
    let webhooks = &mut system["document"]["webhooks"];
    webhooks["dead_letter"] = webhooks["system.dead_letter"].take();
    webhooks.as_object_mut().unwrap().remove("system.dead_letter");
    for dry in [true, false] {
        system["dryRun"] = json!(dry);
        assert_eq!(told(system.clone()).await["problem"]["code"], "OM0021");
    }
}

#[tokio::test]
async fn importing_ones_own_whole_export_changes_nothing() {
    let product = Product::open().await;
    let schema =
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object" });
    let body = json!({ "eventType": "custom.order.paid", "schema": schema });
    assert_eq!(post(&product, TYPES, &body).await.status, 201);
    let before = product.get(TYPES).await.json();
    for format in ["openapi", "asyncapi"] {
        let document = product.get(&format!("{TYPES}/export?format={format}")).await.json();
        for dry in [true, false] {
            let body = json!({ "document": document, "dryRun": dry });
            let told = post(&product, &format!("{TYPES}/import"), &body).await.json();
            let types = told["types"].as_array().unwrap();
            assert_eq!(types.len(), before["types"].as_array().unwrap().len(), "{told}");
            for one in types {
                let own = one["eventType"] == "custom.order.paid";
                let expected = if own { "unchanged" } else { "builtIn" };
                assert_eq!((&one["outcome"], &one["name"]), (&json!(expected), &one["eventType"]));
            }
        }
    }
    assert_eq!(product.get(TYPES).await.json(), before);

    // Under a name of its own, a partner's `message.received` is a type like any other.
    let document =
        json!({ "openapi": "3.1.0", "webhooks": { "message.received": webhook(&json!(true)) } });
    let body = json!({ "document": document, "prefix": "custom.partner" });
    let told = post(&product, &format!("{TYPES}/import"), &body).await.json();
    assert_eq!(told["types"][0]["eventType"], "custom.partner.message.received", "{told}");
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere() {
    let product = Product::open().await;
    let schema = json!({ "type": "object", "properties": { "n": { "$ref": "#/$defs/n" } }, "$defs": { "n": { "type": "integer" } } });
    for name in ["custom.vip-message", "custom.order.paid"] {
        let body = json!({ "eventType": name, "schema": schema, "description": "Said." });
        assert_eq!(post(&product, TYPES, &body).await.status, 201);
    }
    for (format, member) in [("openapi", "openapi"), ("asyncapi", "asyncapi")] {
        let path = format!("{TYPES}/export?format={format}&namespace=custom");
        let document = product.get(&path).await.json();
        assert!(document[member].is_string(), "{document}");
        let other = Product::open().await;
        let told =
            post(&other, &format!("{TYPES}/import"), &json!({ "document": document })).await.json();
        let mut names: Vec<&str> = told["types"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["eventType"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["custom.order.paid", "custom.vip-message"], "{told}");
        assert!(
            told["types"].as_array().unwrap().iter().all(|one| one["outcome"] == "created"),
            "{told}"
        );
    }
    let all = product.get(&format!("{TYPES}/export")).await.json();
    assert!(all["webhooks"]["message.received"].is_object(), "{all}");
}
