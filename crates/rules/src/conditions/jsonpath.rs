//! RFC 9535 JSONPath. The text is parsed once by jsonpath-rust; the checks that its parser leaves out
//! are made on its syntax tree; the evaluation is ours.
//!
//! Ours, because an engine of rules needs what the library's evaluation does not give: numbers compared
//! by exact value (it takes numbers closer than 2e-16 for equal, and integers as floats), nested filters
//! (it selects nothing for `$[?@[?@>1]]`), regular expressions compiled once, no path text built for
//! every node, and an end: a hostile document must not keep a thread busy. What both get right is tested
//! against the library.

mod check;
mod evaluate;

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{JpQuery, Segment};
use jsonpath_rust::parser::parse_json_path;
use serde_json::Value;

use crate::conditions::field::FIELD_NESTING_MAX;
use crate::fuel::{Exhausted, Fuel};
use crate::regular::{Budget, Regular};

/// How deep functions may stand in functions: each level multiplies the work of the parser by three, and
/// the standard functions give no reason for more than two.
const FUNCTIONS_MAX: usize = 3;

/// A compiled JSONPath.
#[derive(Debug, Clone)]
pub(crate) struct JsonPath {
    query: JpQuery,
    /// The regular expressions of `match` and `search` in it.
    regexes: Regexes,
}

/// Regular expressions by their text and whether they must match as a whole; there are few.
pub(crate) type Regexes = Vec<(String, bool, Regular)>;

impl JsonPath {
    pub(crate) fn compile(text: &str, budget: &mut Budget) -> Result<Self, String> {
        measure(text)?;
        let query = parse_json_path(text)
            .map_err(|error| format!("`{text}` is not valid JSONPath: {}", what(error)))?;
        let regexes = check::check(&query, budget)
            .map_err(|problem| format!("`{text}` is not valid JSONPath: {problem}"))?;
        Ok(Self { query, regexes })
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.query.segments
    }

    pub(crate) fn select<'a>(
        &'a self,
        document: &'a Value,
        fuel: &mut Fuel,
    ) -> Result<Vec<&'a Value>, Exhausted> {
        evaluate::select(&self.query, &self.regexes, document, fuel)
    }
}

/// Looks at the text outside of quotes before the recursive parser does: brackets must not nest deep, and
/// a name has no spaces in it (the parser would take `a b` for one name). A parenthesis after a letter, also
/// with spaces between, belongs to a function.
fn measure(text: &str) -> Result<(), String> {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut open = Vec::new();
    let (mut quote, mut escaped) = (None, false);
    let (mut before, mut spaced) = (' ', false);
    for c in text.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(end), _) if c == end => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => open.push(c == '(' && in_name(before)),
            (None, ']' | ')') => {
                open.pop();
            }
            (None, _) if spaced && in_name(before) && in_name(c) => {
                return Err(format!(
                    "`{text}` is not valid JSONPath: a name with a space is written ['…']"
                ));
            }
            _ => {}
        }
        spaced = c.is_whitespace();
        if !spaced {
            before = c;
        }
        if open.len() > FIELD_NESTING_MAX {
            return Err(format!("the JSONPath nests brackets deeper than {FIELD_NESTING_MAX}"));
        }
        if open.iter().filter(|function| **function).count() > FUNCTIONS_MAX {
            return Err(format!("the JSONPath nests functions deeper than {FUNCTIONS_MAX}"));
        }
    }
    Ok(())
}

/// What a person needs of the parser's error, in one line.
fn what(error: JsonPathError) -> String {
    let JsonPathError::PestError(syntax) = error else { return error.to_string() };
    // The parser draws the text over several lines: the first has ` --> line:column`.
    let drawing = syntax.to_string();
    let place =
        drawing.lines().next().and_then(|line| line.rsplit(':').next()).unwrap_or("?").to_owned();
    format!("it cannot be read from character {place} on")
}
