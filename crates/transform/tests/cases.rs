//! Templates against the case files in `testdata/`, at their limits, and with any text.

use omni_transform::{DEPTH_MAX, RENDERED_MAX, TEMPLATE_TEXT_MAX, Template};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The default of every case, as text.
const HINT: &str = "; `| default(…)` would stand in for it";

#[test]
fn rendered() {
    let file: Value = serde_json::from_str(include_str!("../testdata/rendered.json")).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let config = &case["config"];
        let template = Template::compile(config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
        let rendered = template.render(&file["scope"]).unwrap_or_else(|e| panic!("{config}: {e}"));
        assert_eq!(rendered, case["expect"], "{config}");
    }
}

#[test]
fn missing() {
    let file: Value = serde_json::from_str(include_str!("../testdata/missing.json")).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let config = &case["config"];
        let error = Template::compile(config).unwrap().render(&file["scope"]).unwrap_err();
        assert_eq!(error.message.strip_suffix(HINT), case["message"].as_str(), "{config}");
        assert_eq!(Some(error.path.as_str()), case["path"].as_str(), "{config}");
        assert_eq!(Some(error.pointer.as_str()), case["pointer"].as_str(), "{config}");
        assert!(!error.to_string().contains("hunter2"), "a value was shown: {error}");
    }
}

#[test]
fn refused() {
    let cases: Value = serde_json::from_str(include_str!("../testdata/refused.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let config = &case["config"];
        let problems = Template::compile(config).unwrap_err();
        let found: Vec<_> = problems.iter().map(|p| json!([p.pointer, p.message])).collect();
        assert_eq!(Value::Array(found), case["problems"], "{config}");
    }
}

#[test]
fn a_configuration_without_templates_is_constant() {
    let constant = |config: Value| Template::compile(&config).unwrap().is_constant();
    assert!(constant(json!({ "a": [1, "b"], "{{ payload }}": {} })));
    assert!(!constant(json!({ "a": [1, { "b": "{{ payload }}" }] })));
}

#[test]
fn a_template_of_the_largest_size_is_taken_and_one_more_byte_is_not() {
    let template = |size: usize| {
        let start = "{{ payload.id }}";
        json!({ "a": format!("{start}{}", "x".repeat(size - start.len())), "b": "y".repeat(size) })
    };
    assert!(Template::compile(&template(TEMPLATE_TEXT_MAX)).is_ok());
    let problems = Template::compile(&template(TEMPLATE_TEXT_MAX + 1)).unwrap_err();
    assert!(problems[0].message.contains("more than 65536 bytes of text"), "{problems:?}");
}

#[test]
fn a_configuration_may_not_nest_too_deep() {
    let nested =
        |depth: usize| (0..depth).fold(json!("{{ payload.id }}"), |inner, _| json!([inner]));
    let template = Template::compile(&nested(DEPTH_MAX)).unwrap();
    assert!(template.render(&json!({ "payload": { "id": 1 } })).is_ok());
    let problems = Template::compile(&nested(DEPTH_MAX + 1)).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].pointer, "/0".repeat(DEPTH_MAX + 1));
}

#[test]
fn deep_literals_are_refused_by_the_json_parser() {
    let config = format!("{{{{ payload.x | default({}) }}}}", "[".repeat(20_000));
    let problems = Template::compile(&json!(config)).unwrap_err();
    assert!(problems[0].message.contains("recursion limit"), "{problems:?}");
}

#[test]
fn a_small_template_cannot_render_to_something_huge() {
    let scope = json!({ "payload": { "large": "x".repeat(100_000) } });
    let times = |count: usize| json!({ "a": "{{ payload.large }}".repeat(count) });
    assert!(Template::compile(&times(40)).unwrap().render(&scope).is_ok());
    let error = Template::compile(&times(50)).unwrap().render(&scope).unwrap_err();
    assert_eq!(error.pointer, "/a");
    assert!(error.message.contains(&RENDERED_MAX.to_string()), "{error}");
    let whole = json!(vec!["{{ payload }}"; 50]);
    assert!(Template::compile(&whole).unwrap().render(&scope).is_err());
}

#[test]
fn a_long_name_above_many_values_multiplies_nothing() {
    let above = |item: &str, count: usize| json!({ "k".repeat(400_000): vec![item; count] });
    let before = std::time::Instant::now();
    assert!(Template::compile(&above("plain", 100_000)).unwrap().is_constant());
    let problems = Template::compile(&above("{{ payload.id }}", 4_000)).unwrap_err();
    assert!(problems[0].message.contains("names that lead to this template"), "{problems:?}");
    let told: usize = problems.iter().map(|p| p.pointer.len() + p.message.len()).sum();
    assert!(told < 50_000, "{told}");
    assert!(before.elapsed() < std::time::Duration::from_secs(5), "{:?}", before.elapsed());
}

#[test]
fn what_is_told_of_a_wrong_template_is_bounded() {
    let many = Template::compile(&json!(vec!["{{ wrong }}"; 5_000])).unwrap_err();
    assert_eq!(many.len(), 20);
    let long = "x".repeat(60_000);
    for wrong in [
        format!("{{{{ {long} }}}}"),
        format!("{{{{ payload | {long} }}}}"),
        format!("{{{{ payload[{long}] }}}}"),
        format!("{{{{ payload.{long} }}}}"),
        format!("{{{{ payload{} }}}}", ".a".repeat(30_000)),
    ] {
        let problems = Template::compile(&json!(wrong)).unwrap_err();
        assert!(problems[0].message.len() < 300, "{problems:?}");
    }
    let twice = Template::compile(&json!("{{ payload | json | json }}")).unwrap_err();
    assert!(twice[0].message.contains("twice"), "{twice:?}");
}

/// Text made of the pieces that mean something to the parser.
fn template_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{"),
        Just("}}"),
        Just("payload"),
        Just("."),
        Just("["),
        Just("]"),
        Just("\""),
        Just("'"),
        Just("|"),
        Just("default("),
        Just(")"),
        Just("json"),
        Just(" "),
        Just("0"),
        Just("a"),
        Just("é"),
        Just("\\"),
        Just("null"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in prop_oneof![".{0,60}", template_text()]) {
        let scope = json!({ "payload": { "a": ["{{ payload }}"] } });
        match Template::compile(&json!({ "t": text })) {
            Ok(template) => {
                let _ = template.render(&scope);
            }
            Err(problems) => prop_assert!(problems.iter().all(|p| p.pointer == "/t")),
        }
    }

    #[test]
    fn text_without_opening_braces_stays(text in "[^{]{0,40}") {
        let template = Template::compile(&json!(text)).unwrap();
        prop_assert!(template.is_constant());
        prop_assert_eq!(template.render(&json!({})).unwrap(), json!(text));
    }

    #[test]
    fn any_key_can_be_selected(key: String, before in "[^{]{0,9}", after in "[^{]{0,9}") {
        let path = format!("{{{{ payload[{}] }}}}", json!(key));
        let scope = json!({ "payload": { key: "it {{ is }} there" } });
        let whole = Template::compile(&json!(path)).unwrap().render(&scope).unwrap();
        prop_assert_eq!(whole, json!("it {{ is }} there"));
        let text = Template::compile(&json!(format!("{before}{path}{after}"))).unwrap();
        let expected = format!("{before}it {{{{ is }}}} there{after}");
        prop_assert_eq!(text.render(&scope).unwrap(), json!(expected));
    }
}
