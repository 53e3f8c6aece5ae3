//! What is logged, and what is refused before.

use super::*;
use crate::samples::{call, event, pointers};

#[tokio::test]
async fn the_result_is_what_was_logged() {
    let event = event();
    let config = json!({ "level": "warn", "message": "paid", "fields": { "total": 10.5 } });
    assert_eq!(Log.run(&call(&event), config).await.unwrap(), json!({ "logged": "paid" }));
    let number = json!({ "message": 12 });
    assert_eq!(Log.run(&call(&event), number).await.unwrap(), json!({ "logged": "12" }));
}

#[tokio::test]
async fn a_long_message_is_cut_at_a_character() {
    let event = event();
    let config = json!({ "message": format!("a{}", "ü".repeat(MESSAGE_MAX)) });
    let result = Log.run(&call(&event), config).await.unwrap();
    assert_eq!(result["logged"].as_str().unwrap().len(), MESSAGE_MAX - 1);
}

#[test]
fn templates_pass_and_faults_are_placed() {
    for good in [
        json!({ "message": "hello {{ payload.name }}" }),
        json!({ "level": "{{ payload.level }}", "message": "x", "fields": "{{ payload }}" }),
    ] {
        assert_eq!(Log.check(&good), [], "{good}");
    }
    for (bad, pointer) in [
        (json!({ "message": "x", "level": "loud" }), "/level"),
        (json!({ "message": "x", "colour": "red" }), "/colour"),
        (json!({ "message": "x", "fields": [1] }), "/fields"),
        (json!({ "level": "info" }), ""),
        (json!("text"), ""),
    ] {
        assert_eq!(pointers(&Log.check(&bad)), [pointer], "{bad}");
    }
}

#[test]
fn the_schema_names_the_fields() {
    let schema = Log.config_schema();
    assert_eq!(schema["required"], json!(["message"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(schema["properties"]["message"]["type"], "string");
}
