//! `docs/sources.md` says what there is: every provider, every code of a refusal, every verifier that it shows.

use omni_sources::{Definition, provider, webhook};

const DOCUMENT: &str = include_str!("../../../../docs/sources.md");

/// The first columns of the table under a title.
fn table(title: &str, columns: usize) -> Vec<Vec<&'static str>> {
    let (_, part) = DOCUMENT.split_once(title).unwrap_or_else(|| panic!("there is no {title}"));
    let part = part.split("\n#").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &'static str| -> Vec<&'static str> {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        cells.take(columns).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn every_provider_is_in_the_document() {
    let known: Vec<Vec<&str>> = provider::all()
        .iter()
        .map(|template| vec![template.name.as_str(), template.title.as_str()])
        .collect();
    assert!(known.len() > 40);
    assert_eq!(table("\n## Known providers\n", 2), known);
}

#[test]
fn every_greeting_is_marked() {
    for row in table("\n## Known providers\n", 6) {
        let greets = provider::find(row[0]).unwrap().handshake.is_some();
        assert_eq!(row[5] == "yes", greets, "{}", row[0]);
    }
}

#[test]
fn every_code_is_in_the_document() {
    let codes: Vec<(String, String)> = webhook::Code::ALL
        .iter()
        .map(|code| (code.row().0.to_owned(), code.row().1.as_u16().to_string()))
        .collect();
    let told: Vec<(String, String)> = table("\n### What a sender is answered\n", 2)
        .into_iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    assert_eq!(told, codes);
}

#[test]
fn every_example_is_a_definition() {
    let mut examples = 0;
    for block in DOCUMENT.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let document: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        let mut spec = document["spec"].clone();
        spec["name"] = document["name"].clone();
        let definition: Definition = serde_json::from_value(spec).unwrap();
        assert!(definition.verifier.is_some(), "{text}");
        examples += 1;
    }
    assert_eq!(examples, 3);
}
