//! The parser: a string of a configuration becomes parts, plain text and expressions in turn. It goes
//! once from left to right without recursion, so no input makes it slow or deep; JSON literals are
//! read by serde_json, which limits their depth itself.

use serde_json::Value;

use crate::error::head;
use crate::expression::{Expression, Filter, Start};
use crate::path::{Path, Step};

/// The longest path, in bytes: an error shows it twice, and no event is nested so deep.
const PATH_LENGTH_MAX: usize = 1024;

/// So much of a wrong name is shown, in bytes.
const NAME_SHOWN_MAX: usize = 64;

/// More filters than this have no meaning; the number is bounded because each one costs at run time.
const FILTERS_MAX: usize = 4;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A piece of a template string.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Expression(Expression),
}

/// Whether there is something to read in a string.
pub(crate) fn has_template(text: &str) -> bool {
    text.contains(OPEN)
}

/// Splits a string into its parts.
pub(crate) fn parts(text: &str, roots: &[&'static str]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        if at > 0 {
            parts.push(Part::Text(rest[..at].to_owned()));
        }
        let mut cursor = Cursor { text: &rest[at + OPEN.len()..], at: 0, roots };
        let expression = cursor.expression().map_err(|problem| {
            let start = text.len() - rest.len() + at;
            format!(
                "{problem} (in the template at character {})",
                text[..start].chars().count() + 1
            )
        })?;
        parts.push(Part::Expression(expression));
        rest = cursor.rest();
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// Reads one expression; `at` is a byte offset and always at a character boundary.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    roots: &'a [&'static str],
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes the longest run of characters that may be in a name.
    fn name(&mut self) -> &'a str {
        let is_name = |c: char| c.is_alphanumeric() || "_-$@".contains(c);
        let rest = self.rest();
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    fn expression(&mut self) -> Result<Expression, String> {
        self.skip_spaces();
        let start = if self.rest().starts_with('"') {
            Start::Text(self.literal()?)
        } else {
            Start::Path(self.path()?)
        };
        let mut filters = Vec::new();
        loop {
            self.skip_spaces();
            if self.accept(CLOSE) {
                return Ok(Expression { start, filters });
            }
            if !self.accept("|") {
                return Err(self.unexpected("`|` or `}}`"));
            }
            if filters.len() == FILTERS_MAX {
                return Err(format!("there are more than {FILTERS_MAX} filters"));
            }
            let filter = self.filter()?;
            if filter == Filter::Json && filters.contains(&Filter::Json) {
                return Err("the filter `json` is there twice; once makes text of it".to_owned());
            }
            filters.push(filter);
        }
    }

    fn filter(&mut self) -> Result<Filter, String> {
        self.skip_spaces();
        match self.name() {
            "json" => Ok(Filter::Json),
            "default" => {
                self.skip_spaces();
                if !self.accept("(") {
                    return Err(self.unexpected("`(` and a JSON literal after `default`"));
                }
                let value = self.literal()?;
                self.skip_spaces();
                if !self.accept(")") {
                    return Err(self.unexpected("`)` after the literal of `default`"));
                }
                Ok(Filter::Default(value))
            }
            "" => Err(self.unexpected("a filter after `|`: default(…) or json")),
            other => {
                let other = head(other, NAME_SHOWN_MAX);
                Err(format!("there is no filter `{other}`; the filters are default(…) and json"))
            }
        }
    }

    fn path(&mut self) -> Result<Path, String> {
        let begin = self.at;
        let name = self.name();
        let roots = self.roots.join(", ");
        if name.is_empty() {
            return Err(self.unexpected(&format!("a path that starts with one of {roots}")));
        }
        let Some(root) = self.roots.iter().copied().find(|root| *root == name) else {
            let name = head(name, NAME_SHOWN_MAX);
            return Err(format!("`{name}` is no place to start a path; start with one of {roots}"));
        };
        let (mut steps, mut ends) = (Vec::new(), vec![self.at - begin]);
        while let Some(step) = self.step()? {
            steps.push(step);
            ends.push(self.at - begin);
            if self.at - begin > PATH_LENGTH_MAX {
                return Err(format!("the path has more than {PATH_LENGTH_MAX} bytes"));
            }
        }
        Ok(Path { root, steps, written: self.text[begin..self.at].to_owned(), ends })
    }

    fn step(&mut self) -> Result<Option<Step>, String> {
        if self.accept(".") {
            let name = self.name();
            if name.is_empty() {
                return Err(
                    self.unexpected("a name after `.` (other keys are written as [\"key\"])")
                );
            }
            return Ok(Some(number(name).unwrap_or_else(|| Step::Name(name.to_owned()))));
        }
        if !self.accept("[") {
            return Ok(None);
        }
        self.skip_spaces();
        let step = if self.rest().starts_with('"') {
            match self.literal()? {
                Value::String(key) => Step::Name(key),
                _ => return Err(self.unexpected("a key in quotes")),
            }
        } else if self.accept("'") {
            Step::Name(self.single_quoted()?)
        } else {
            let name = self.name();
            number(name).ok_or_else(|| {
                let name = head(name, NAME_SHOWN_MAX);
                format!("[{name}] selects nothing: give a place from 0 on, or a key in quotes")
            })?
        };
        self.skip_spaces();
        if self.accept("]") { Ok(Some(step)) } else { Err(self.unexpected("`]`")) }
    }

    /// The rest of a key in single quotes, which knows no escapes.
    fn single_quoted(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let end = rest.find('\'').ok_or("a key in single quotes is not closed")?;
        self.at += end + 1;
        Ok(rest[..end].to_owned())
    }

    /// One JSON value of any kind.
    fn literal(&mut self) -> Result<Value, String> {
        let rest = self.rest().trim_start();
        self.at = self.text.len() - rest.len();
        if rest.starts_with(['"', '[', '{']) {
            // These end by themselves, so what follows does not matter to the reader.
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            let value = values.next().unwrap_or(Ok(Value::Null)).map_err(wrong_literal)?;
            self.at += values.byte_offset();
            return Ok(value);
        }
        let is_scalar = |c: char| c.is_alphanumeric() || "+-.".contains(c);
        let scalar = &rest[..rest.find(|c| !is_scalar(c)).unwrap_or(rest.len())];
        if scalar.is_empty() {
            return Err(self.unexpected("a JSON literal"));
        }
        self.at += scalar.len();
        serde_json::from_str(scalar).map_err(wrong_literal)
    }

    fn unexpected(&self, expected: &str) -> String {
        match self.rest().chars().next() {
            None => format!("expected {expected}, but the text ends; a template ends with `}}}}`"),
            Some(found) => format!("expected {expected}, but found `{}`", found.escape_debug()),
        }
    }
}

/// Reads a name of digits as a number step; a number beyond any array is a name like others.
fn number(name: &str) -> Option<Step> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let place = name.parse().ok()?;
    Some(Step::Number { place, written: name.to_owned() })
}

fn wrong_literal(error: serde_json::Error) -> String {
    format!("a JSON literal is wrong (text goes in quotes): {error}")
}
