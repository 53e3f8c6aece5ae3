//! From files to values: YAML and JSON, several documents in one file or exactly one.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::error::Error;
use crate::output::clean;

/// No definition comes near this; a wrong file name often does.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// The one value that a file holds; `-` is standard input.
pub(crate) fn one(path: &Path) -> Result<Value, Error> {
    let (name, text) = (path.display().to_string(), load(path)?);
    let wrong = |why: &str| Error::Usage(format!("{}: {}", clean(&name), clean(why)));
    let mut values = parse(&name, &text).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.map_err(|why| wrong(&why)),
        (None, _) => Err(wrong("nothing is in it")),
        (Some(_), Some(_)) => Err(wrong(
            "more than one document is in it; `omni apply -f` takes several of kind EventType",
        )),
    }
}

/// The text of a file.
pub(super) fn load(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(fs::File::open(path).map_err(failed)?)
    };
    let mut text = String::new();
    let size = reader.take(FILE_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if size as u64 > FILE_MAX {
        return Err(Error::Usage(format!("{}: more than {FILE_MAX} bytes", path.display())));
    }
    Ok(text)
}

/// The documents in a text, each by itself; `name` says whether it is JSON.
pub(super) fn parse(name: &str, text: &str) -> Vec<Result<Value, String>> {
    if is_json(name) { from_json(text) } else { from_yaml(text) }
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}

fn from_json(text: &str) -> Vec<Result<Value, String>> {
    let stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    stream.map(|value| value.map_err(|error| format!("no JSON: {error}"))).collect()
}

/// Empty documents (a leading or closing `---`) are skipped. After a broken one nothing more can
/// be read, since it is unknown where it ends.
fn from_yaml(text: &str) -> Vec<Result<Value, String>> {
    let mut values = Vec::new();
    let mut bytes = text.as_bytes();
    for value in serde_saphyr::read::<_, Value>(&mut bytes) {
        match value {
            Ok(Value::Null) => {}
            Ok(value) => values.push(Ok(value)),
            Err(error) => {
                let place = error.location().map_or_else(String::new, |at| {
                    format!(" (line {}, column {})", at.line(), at.column())
                });
                let message = error.without_snippet().to_string();
                values.push(Err(format!("no YAML{place}: {message}")));
                break;
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_holds_exactly_one_value() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            one(&path).map_err(|error| error.to_string())
        };
        let schema = json!({ "type": "object" });
        assert_eq!(read("a.json", r#"{"type":"object"}"#), Ok(schema.clone()));
        assert_eq!(read("a.yaml", "---\ntype: object\n"), Ok(schema.clone()));
        assert_eq!(read("piped", "{\n\t\"type\": \"object\"\n}\n"), Ok(schema));
        assert!(read("b.yaml", "").unwrap_err().contains("nothing is in it"));
        assert!(read("c.json", "{} {}").unwrap_err().contains("more than one"));
        assert!(read("d.json", "{").unwrap_err().contains("d.json: no JSON"));
    }
}
