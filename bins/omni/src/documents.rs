//! Definition documents: `kind`, `name`, `spec`, as YAML (several in a file, parted by `---`) or
//! JSON. All are read before anything is sent, and all that is wrong is told at once.

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::Error;
use crate::output::clean;

pub(crate) use self::text::one;

/// Kinds that other versions of the program know, so that the message can be honest.
const LATER: &[&str] = &["Workflow", "Endpoint", "Instance", "Agent"];

/// What a document defines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    EventType,
    Source,
    Schedule,
    Automation,
}

impl Kind {
    /// Lower-case word for output, such as `source`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::EventType => "event-type",
            Self::Source => "source",
            Self::Schedule => "schedule",
            Self::Automation => "automation",
        }
    }

    /// The member of a definition that holds its name.
    fn name_member(self) -> &'static str {
        match self {
            Self::EventType => "eventType",
            Self::Source | Self::Schedule | Self::Automation => "name",
        }
    }
}

/// One definition and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) file: String,
    /// Place in the file, from 1.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// The definition with its name, as the server takes it.
    pub(crate) spec: Map<String, Value>,
}

impl Document {
    /// File, number and name, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}, document {} ({})", self.file, self.number, self.title())
    }

    /// Such as `source/github`.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}", self.kind.as_str(), clean(&self.name))
    }
}

/// Reads files and folders (one level, by name); `-` is standard input.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        for file in files(path)? {
            let text = text::load(&file)?;
            parse(&file.display().to_string(), &text, &mut documents, &mut wrong);
        }
    }
    finish(documents, wrong)
}

/// One document of kind EventType, as it is sent to the server.
pub(crate) fn event_type(value: Value) -> Result<Map<String, Value>, String> {
    match shape(value) {
        Ok((Kind::EventType, _, spec)) => Ok(spec),
        Ok((kind, ..)) => {
            Err(format!("/kind: this is a {}; `omni apply -f` takes it", kind.as_str()))
        }
        Err((pointer, why)) => Err(format!("{pointer}: {why}")),
    }
}

/// One document of kind Schedule, as it is sent to the server.
pub(crate) fn schedule(value: Value) -> Result<Map<String, Value>, String> {
    match shape(value) {
        Ok((Kind::Schedule, _, spec)) => Ok(spec),
        Ok((kind, ..)) => {
            Err(format!("/kind: this is a {}; `omni apply -f` takes it", kind.as_str()))
        }
        Err((pointer, why)) => Err(format!("{pointer}: {why}")),
    }
}

/// The automations in a file, as they are sent to the server: its documents, or one definition that stands there by itself.
pub(crate) fn automations(file: &Path) -> Result<Vec<Value>, Error> {
    let (name, text) = (file.display().to_string(), text::load(file)?);
    let mut values = text::parse(&name, &text);
    let is_bare = |value: &Value| value.get("kind").is_none() && value.get("actions").is_some();
    if let [Ok(value)] = values.as_mut_slice()
        && is_bare(value)
    {
        return Ok(vec![value.take()]);
    }
    let documents = read_text(&name, &text)?.into_iter();
    let automations = documents.filter(|document| document.kind == Kind::Automation);
    Ok(automations.map(|document| Value::Object(document.spec)).collect())
}

/// Reads one text that has no file of its own.
pub(crate) fn read_text(name: &str, text: &str) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    let mut wrong = Vec::new();
    parse(name, text, &mut documents, &mut wrong);
    finish(documents, wrong)
}

fn finish(documents: Vec<Document>, mut wrong: Vec<String>) -> Result<Vec<Document>, Error> {
    if wrong.is_empty() {
        return Ok(documents);
    }
    wrong.push("next: correct this and apply again; nothing was sent".into());
    Err(Error::Documents(wrong))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if file.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::Usage(format!(
            "{}: no .yaml, .yml or .json file in this folder",
            path.display()
        )));
    }
    Ok(files)
}

fn parse(file: &str, text: &str, documents: &mut Vec<Document>, wrong: &mut Vec<String>) {
    for (index, value) in text::parse(file, text).into_iter().enumerate() {
        let number = index + 1;
        let document = value
            .and_then(|value| shape(value).map_err(|(pointer, why)| format!("{pointer}: {why}")));
        match document {
            Ok((kind, name, spec)) => {
                let file = file.to_owned();
                documents.push(Document { file, number, kind, name, spec });
            }
            Err(why) => wrong.push(format!("{file}, document {number}: {}", clean(&why))),
        }
    }
}

type Parts = (Kind, String, Map<String, Value>);

fn shape(value: Value) -> Result<Parts, (&'static str, String)> {
    let Value::Object(mut document) = value else {
        return Err(("(all)", "a document is an object with kind, name and spec".into()));
    };
    let kind = match document.remove("kind") {
        Some(Value::String(kind)) => parse_kind(&kind).map_err(|why| ("/kind", why))?,
        _ => {
            return Err((
                "/kind",
                "write kind: EventType, kind: Source, kind: Schedule or kind: Automation".into(),
            ));
        }
    };
    let name = match document.remove("name") {
        Some(Value::String(name)) if !name.is_empty() => name,
        _ => return Err(("/name", "write a name".into())),
    };
    let Some(Value::Object(mut spec)) = document.remove("spec") else {
        return Err(("/spec", "write the definition as an object".into()));
    };
    if let Some(more) = document.keys().next() {
        return Err(("(all)", format!("no member {more:?} here; it may belong into spec")));
    }
    let member = kind.name_member();
    match spec.insert(member.to_owned(), Value::String(name.clone())) {
        Some(other) if other != Value::String(name.clone()) => Err((
            "/spec",
            format!("{member} differs from the document's name {name:?}; leave it out"),
        )),
        _ => Ok((kind, name, spec)),
    }
}

fn parse_kind(kind: &str) -> Result<Kind, String> {
    match kind {
        "EventType" => Ok(Kind::EventType),
        "Source" => Ok(Kind::Source),
        "Schedule" => Ok(Kind::Schedule),
        "Automation" => Ok(Kind::Automation),
        later if LATER.contains(&later) => Err(format!(
            "kind {later} comes with a later version; now: EventType, Source, Schedule, Automation"
        )),
        other => {
            Err(format!("unknown kind {other:?}; known: EventType, Source, Schedule, Automation"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(name: &str, text: &str) -> String {
        read_text(name, text).unwrap_err().to_string()
    }

    #[test]
    fn several_documents_in_one_yaml_file() {
        let text = "---\nkind: Source\nname: github\nspec:\n  provider: github\n---\n\
                    kind: Automation\nname: a b\nspec: { priority: 7, name: a b }\n---\n";
        let documents = read_text("defs.yaml", text).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].title(), "source/github");
        assert_eq!(documents[0].spec["name"], "github");
        assert_eq!(documents[1].place(), "defs.yaml, document 2 (automation/a b)");
        assert_eq!(documents[1].spec["priority"], 7);
    }

    #[test]
    fn json_documents_too() {
        let text =
            r#"{"kind":"Source","name":"x","spec":{}} {"kind":"Source","name":"y","spec":{}}"#;
        assert_eq!(read_text("defs.json", text).unwrap().len(), 2);
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let text = "kind: Workflow\nname: w\nspec: {}\n---\nkind: Sauce\nname: w\nspec: {}\n---\n\
                    kind: Source\nspec: {}\n---\n- 1\n---\nkind: Source\nname: a\nspec: {name: b}\n";
        let told = wrong("x.yaml", text);
        for line in [
            "x.yaml, document 1: /kind: kind Workflow comes with a later version",
            "x.yaml, document 2: /kind: unknown kind \"Sauce\"",
            "x.yaml, document 3: /name: write a name",
            "x.yaml, document 4: (all): a document is an object",
            "x.yaml, document 5: /spec: name differs",
            "nothing was sent",
        ] {
            assert!(told.contains(line), "{line}\nnot in\n{told}");
        }
    }

    #[test]
    fn a_broken_document_is_told_with_line_and_column() {
        let told = wrong("x.yaml", "kind: Source\nname: a\nspec: {}\n---\nkind: [Source\n");
        assert!(told.contains("x.yaml, document 2: no YAML (line "), "{told}");
        assert!(!told.contains('\u{1b}'));
        assert!(wrong("x.json", "{\"kind\":").contains("document 1: no JSON"));
    }

    #[test]
    fn a_folder_is_read_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (file, name) in [("b.yaml", "b"), ("a.yml", "a"), ("c.txt", "c")] {
            let text = format!("kind: Source\nname: {name}\nspec: {{}}\n");
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let documents = read(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = documents.iter().map(|document| document.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(read(&[folder.path().join("none.yaml")]).is_err());
    }
}
