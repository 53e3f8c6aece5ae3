//! The reader beside a plain flattening of the same event.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::predicate::Scalar;

/// Names that differ in length, behind the first eight bytes, in nothing but an escape, and in bytes beyond ASCII.
const NAMES: [&str; 15] = [
    "a",
    "a\0",
    "b",
    "c",
    "",
    "type",
    "eight888",
    "ninebytes",
    "ninebytez",
    "quote\"",
    "back\\slash",
    "line\nbreak",
    "größe",
    "a name that is longer than sixteen bytes",
    "a name that is longer than sixteen bytez",
];

/// One element: the array, as a JSON Pointer, and the place in it.
type Trail = Vec<(String, usize)>;

/// The values of a path by the meaning of the words, in the order of the event.
fn flatten<'v>(
    value: &'v Value,
    path: &[Box<str>],
    at: &str,
    trail: &Trail,
    found: &mut Vec<(Trail, &'v Value)>,
) {
    match (value, path) {
        (Value::Array(elements), _) => {
            for (place, element) in elements.iter().enumerate() {
                let mut trail = trail.clone();
                trail.push((at.to_owned(), place));
                flatten(element, path, &format!("{at}/{place}"), &trail, found);
            }
        }
        (Value::Object(members), [name, rest @ ..]) => {
            if let Some(member) = members.get(&**name) {
                flatten(member, rest, &format!("{at}/{name}"), trail, found);
            }
        }
        (Value::Object(_), []) => {}
        (_, []) => found.push((trail.clone(), value)),
        _ => {}
    }
}

/// The array or object at a path that lies in no array.
fn container<'v>(event: &'v Value, path: &[Box<str>]) -> Option<&'v Value> {
    let value = path.iter().try_fold(event, |value, name| value.as_object()?.get(&**name))?;
    (value.is_array() || value.is_object()).then_some(value)
}

fn value_of(scalar: Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Number(number) => serde_json::from_slice(number).unwrap(),
        Scalar::Text(text) => Value::String(String::from_utf8(text.to_vec()).unwrap()),
    }
}

/// The elements of a context, the outermost first, with the number of each array.
fn trail_of(values: &Values, mut context: Context) -> Vec<(u32, usize)> {
    let mut trail = Vec::new();
    while let Some((around, array, place)) = values.element(context) {
        assert!(around < context);
        trail.insert(0, (array, place as usize));
        context = around;
    }
    assert_eq!(context, ROOT);
    trail
}

/// Holds what was read of an event against its plain flattening.
fn compare(
    values: &Values,
    paths: &Paths,
    asked: &[(Vec<Box<str>>, bool)],
    text: &[u8],
    event: &Value,
) {
    let (mut arrays, mut fields) = (std::collections::BTreeMap::new(), Vec::new());
    for (path, _) in asked {
        let field = paths.get(path, false).unwrap();
        let mut expected = Vec::new();
        flatten(event, path, "", &Vec::new(), &mut expected);
        let slots: Vec<_> = values.of(field).collect();
        let read: Vec<_> = slots.iter().map(|slot| value_of(values.scalar(text, *slot))).collect();
        let plain: Vec<_> = expected.iter().map(|(_, value)| (*value).clone()).collect();
        assert_eq!(read, plain, "{path:?} in {}", String::from_utf8_lossy(text));
        for (slot, (trail, _)) in slots.iter().zip(&expected) {
            let read = trail_of(values, slot.context);
            assert_eq!(read.len(), trail.len());
            for ((array, place), (pointer, expected)) in read.into_iter().zip(trail) {
                assert_eq!(place, *expected);
                // One number is one array, and one array one number.
                assert_eq!(arrays.entry(array).or_insert_with(|| pointer.clone()), pointer);
            }
        }
        let kept = values.container(text, field).map(|part| serde_json::from_slice(part).unwrap());
        let expected = container(event, path).filter(|_| paths.get(path, true).is_some());
        assert_eq!(kept.as_ref(), expected, "{path:?} in {}", String::from_utf8_lossy(text));
        if !slots.is_empty() || kept.is_some() {
            fields.push(field);
        }
    }
    let pointers: std::collections::BTreeSet<_> = arrays.values().collect();
    assert_eq!(pointers.len(), arrays.len());
    let mut found = values.fields().to_vec();
    found.sort_unstable();
    fields.sort_unstable();
    fields.dedup();
    assert_eq!(found, fields);
}

/// Writes JSON as nobody would: with blanks and escapes wherever the noise says so.
fn write(value: &Value, noise: &mut impl Iterator<Item = u8>, text: &mut String) {
    blank(noise, text);
    match value {
        Value::String(plain) => write_text(plain, noise, text),
        Value::Array(elements) => {
            text.push('[');
            for (place, element) in elements.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                write(element, noise, text);
            }
            blank(noise, text);
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (place, (name, member)) in members.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                blank(noise, text);
                write_text(name, noise, text);
                blank(noise, text);
                text.push(':');
                write(member, noise, text);
            }
            blank(noise, text);
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
    blank(noise, text);
}

fn blank(noise: &mut impl Iterator<Item = u8>, text: &mut String) {
    match noise.next().unwrap() {
        0..=20 => text.push(' '),
        21..=30 => text.push_str("\r\n\t"),
        31..=35 => text.push_str(&" ".repeat(70)),
        _ => {}
    }
}

fn write_text(plain: &str, noise: &mut impl Iterator<Item = u8>, text: &mut String) {
    text.push('"');
    for letter in plain.chars() {
        let escape = noise.next().unwrap() < 10;
        match letter {
            '"' | '\\' | '/' if escape => text.extend(['\\', letter]),
            _ if escape || letter < ' ' || letter == '"' || letter == '\\' => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04X}");
                }
            }
            _ => text.push(letter),
        }
    }
    text.push('"');
}

fn any_name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(String::from)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any_name(),
        ".{0,6}",
        r#"[\\"]{0,9}"#,
        r#"[a\[\]{}",:\\]{0,150}"#,
        (0..200_usize).prop_map(|length| "ä".repeat(length)),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..10).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..6).prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, Value)>) -> Value {
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

fn any_event() -> impl Strategy<Value = Value> {
    prop::collection::vec((any_name(), any_value()), 0..8).prop_map(object)
}

fn any_asked() -> impl Strategy<Value = Vec<(Vec<Box<str>>, bool)>> {
    let path = prop::collection::vec(any_name().prop_map(String::into_boxed_str), 1..4);
    prop::collection::vec((path, any::<bool>()), 0..12)
}

fn any_noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![255]), prop::collection::vec(any::<u8>(), 1..50)]
}

fn paths_of(asked: &[(Vec<Box<str>>, bool)]) -> Paths {
    let mut paths = Paths::default();
    for (path, containers) in asked {
        paths.add(path, *containers);
    }
    paths
}

fn text_of(event: &Value, noise: Vec<u8>) -> String {
    let mut text = String::new();
    write(event, &mut noise.into_iter().cycle(), &mut text);
    assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), event);
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_read_is_what_is_there(events in prop::collection::vec((any_event(), any_noise()), 1..4), asked in any_asked()) {
        let (paths, mut values) = (paths_of(&asked), Values::default());
        for (event, noise) in events {
            let text = text_of(&event, noise);
            values.read(&paths, text.as_bytes()).unwrap();
            compare(&values, &paths, &asked, text.as_bytes(), &event);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), asked in any_asked()) {
        look_at_all(&paths_of(&asked), &bytes);
    }

    #[test]
    fn nothing_like_json_makes_it_panic(text in r#"[{]("(a|b|type|[\\]["u]|)":?|[{}\[\],: ]|[0-9a-f\\-]|true|null){0,60}"#, asked in any_asked()) {
        look_at_all(&paths_of(&asked), text.as_bytes());
    }

    #[test]
    fn an_event_that_is_cut_off_does_not_make_it_panic(event in any_event(), noise in any_noise(), asked in any_asked(), cut in any::<prop::sample::Index>()) {
        let text = text_of(&event, noise);
        look_at_all(&paths_of(&asked), &text.as_bytes()[..cut.index(text.len())]);
    }
}

/// Reads and asks everything, whatever it is.
fn look_at_all(paths: &Paths, bytes: &[u8]) {
    let mut values = Values::default();
    let _ = values.read(paths, bytes);
    for field in 0..u32::try_from(paths.len()).unwrap() {
        for slot in values.of(field) {
            let _ = (values.scalar(bytes, slot), trail_of(&values, slot.context));
            // Nor does another event that does not have these places.
            values.scalar(b"{}", slot);
        }
        values.container(bytes, field);
    }
}

fn path(names: &str) -> Vec<Box<str>> {
    names.split('.').map(Box::from).collect()
}

/// The texts and numbers at one path.
fn read(names: &str, event: &str) -> Result<Vec<Value>, Unreadable> {
    let (mut paths, mut values) = (Paths::default(), Values::default());
    let field = paths.add(&path(names), false);
    values.read(&paths, event.as_bytes())?;
    let scalars = values.of(field).map(|slot| values.scalar(event.as_bytes(), slot));
    Ok(scalars.map(value_of).collect())
}

#[test]
fn the_first_of_a_repeated_name_counts() {
    assert_eq!(read("a", r#"{"a": 1, "a": 2}"#).unwrap(), [1]);
    assert_eq!(
        read("a.b", r#"{"a": {}, "a": {"b": 2}, "\u0061": {"b": 3}}"#).unwrap(),
        [Value::Null; 0]
    );
    assert_eq!(read("a.b", r#"{"a": [{"b": 1, "b": 2}, {"b": 3}], "a": 4}"#).unwrap(), [1, 3]);
}

#[test]
fn a_repeated_name_does_not_stand_for_another() {
    let (mut paths, mut values) = (Paths::default(), Values::default());
    let (a, b) = (paths.add(&path("a"), false), paths.add(&path("b"), false));
    values.read(&paths, br#"{"a": 1, "a": 2, "b": 3}"#).unwrap();
    assert_eq!((values.of(a).count(), values.of(b).count()), (1, 1));
}

#[test]
fn what_comes_behind_the_last_value_is_not_looked_at() {
    assert_eq!(read("a", r#"{"a": 1, nonsense"#).unwrap(), [1]);
    assert_eq!(read("a.b", r#"{"a": {"b": "x"} nonsense"#).unwrap(), ["x"]);
    assert!(read("a", r#"{"b": 1, nonsense"#).is_err());
    // Another element of an array may have a value.
    assert!(read("a.b", r#"{"a": [{"b": 1}, nonsense"#).is_err());
}

#[test]
fn a_fault_is_told_with_its_place() {
    let faults = [
        ("", 0, "`{` was expected"),
        (" [1]", 1, "`{` was expected"),
        ("{", 1, "a name was expected"),
        (r#"{"b" 1}"#, 5, "`:` was expected"),
        (r#"{"b": 1 2}"#, 8, "`,` or `}` was expected"),
        (r#"{"b": 1} x"#, 9, "the end was expected"),
        (r#"{"b": x}"#, 6, "a value was expected"),
        (r#"{"a": truth}"#, 6, "a value was expected"),
        (r#"{"a": [1 2]}"#, 9, "`,` or `]` was expected"),
        (r#"{"a": "\x"}"#, 6, "a text has an escape that is none of JSON"),
        (r#"{"a": "\ud800"}"#, 6, "a text has an escape that is none of JSON"),
        (r#"{"\u12": 1}"#, 2, "a name has an escape that is none of JSON"),
        (r#"{"b": "#, 6, "a value was expected"),
        (r#"{"a": "b"#, 8, "the end of a text is missing"),
        (r#"{"b": {"c": [}"#, 14, "the end of an array or object is missing"),
    ];
    for (event, offset, what) in faults {
        assert_eq!(read("a", event), Err(Unreadable { offset, what }), "{event}");
    }
}

#[test]
fn depth_is_bounded_only_where_something_is_asked_for() {
    let nested = |depth: usize| format!(r#"{{"a": {}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read("a", &nested(127)).unwrap(), [1]);
    assert_eq!(
        read("a", &nested(128)).unwrap_err().what,
        "arrays and objects lie too deep in each other"
    );
    assert_eq!(read("b", &nested(100_000)).unwrap(), [Value::Null; 0]);
}

#[test]
fn many_names_of_one_object_are_all_found() {
    let name = |number: usize| format!("{number}{}", "-".repeat(number % 40));
    let (mut paths, mut values) = (Paths::default(), Values::default());
    let asked: Vec<_> =
        (0..1000).map(|number| (vec![name(number).into_boxed_str()], false)).collect();
    for (number, (path, _)) in asked.iter().enumerate() {
        assert_eq!(paths.add(path, false) as usize, number);
        assert_eq!(paths.get(path, false), Some(number as u32));
        assert_eq!(paths.get(path, true), None);
    }
    assert_eq!((paths.len(), paths.get(&path("-"), false)), (1000, None));
    let members = (0..2000).rev().map(|number| (name(number), Value::from(number))).collect();
    let event = object(vec![("-".into(), Value::Null), ("0".into(), object(members))]);
    for (event, found) in [(event["0"].clone(), 1000), (event, 0)] {
        let text = text_of(&event, vec![255]);
        values.read(&paths, text.as_bytes()).unwrap();
        compare(&values, &paths, &asked, text.as_bytes(), &event);
        assert_eq!(values.fields().len(), found);
    }
}

#[test]
fn one_number_serves_a_field_with_and_without_containers() {
    let (mut paths, mut values) = (Paths::default(), Values::default());
    let field = paths.add(&path("a"), false);
    assert_eq!((paths.get(&path("a"), true), paths.add(&path("a"), true)), (None, field));
    let event = br#"{"a": [1, {"b": "}"}], "c": 1}"#;
    values.read(&paths, event).unwrap();
    assert_eq!(values.container(event, field), Some(&br#"[1, {"b": "}"}]"#[..]));
    assert_eq!((values.of(field).count(), values.fields()), (1, &[field][..]));
    // Nothing of it is left for an event without it, nor for other paths.
    assert!(values.element(1).is_some());
    values.read(&paths, b"{}").unwrap();
    assert!(values.element(1).is_none());
    assert_eq!((values.container(event, field), values.fields().len()), (None, 0));
    values.read(&Paths::default(), event).unwrap();
    assert_eq!((values.of(field).count(), values.of(99).count()), (0, 0));
}
