//! How large and how deep a document may be, found out without recursion.
//!
//! It must stay true that nothing here recurses before the depth is known: a value can be built by code, deeper than any
//! stack.

use std::io::{self, Write};

use serde_json::{Value, map};

use super::{SCHEMA_BYTES_MAX, Unusable};

/// Deepest nesting of arrays and objects in a schema.
const NESTING_MAX: usize = 64;

/// Refuses what is too deep or too large.
pub(super) fn check(schema: &Value) -> Result<(), Unusable> {
    let mut walk = Walk::new(schema);
    let mut bytes = 0;
    while let Some((key, value)) = walk.next() {
        bytes +=
            key.map_or(1, |key| key.len() + 3) + value.as_str().map_or(1, |text| text.len() + 2);
        if bytes > SCHEMA_BYTES_MAX {
            return Err(too_large());
        }
        if walk.depth() > NESTING_MAX {
            return Err(Unusable {
                pointer: String::new(),
                reason: format!(
                    "is nested deeper than {NESTING_MAX} levels; give the inner parts names under $defs and refer to them"
                ),
            });
        }
    }
    serde_json::to_writer(Counter(0), schema).map_err(|_| too_large())
}

/// Takes a value apart level by level: to drop a deep one at once overflows the stack.
pub(super) fn dismantle(value: Value) {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(members) => rest.extend(members.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

pub(super) fn too_large() -> Unusable {
    Unusable {
        pointer: String::new(),
        reason: format!(
            "is larger than {} KiB of JSON; leave out examples and descriptions, or split the type",
            SCHEMA_BYTES_MAX / 1024
        ),
    }
}

/// Every value of a document, from the outside inwards.
pub(crate) struct Walk<'a> {
    root: Option<&'a Value>,
    open: Vec<Members<'a>>,
    depth: usize,
}

enum Members<'a> {
    Items(std::slice::Iter<'a, Value>),
    Names(map::Iter<'a>),
}

impl<'a> Walk<'a> {
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root: Some(root), open: Vec::new(), depth: 0 }
    }

    /// How many arrays and objects the last value lies in, itself included if it is one.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    fn enter(&mut self, value: &'a Value) {
        self.depth = self.open.len();
        match value {
            Value::Array(items) => self.open.push(Members::Items(items.iter())),
            Value::Object(members) => self.open.push(Members::Names(members.iter())),
            _ => return,
        }
        self.depth += 1;
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (Option<&'a str>, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(root) = self.root.take() {
            self.enter(root);
            return Some((None, root));
        }
        while let Some(innermost) = self.open.last_mut() {
            let next = match innermost {
                Members::Items(items) => items.next().map(|value| (None, value)),
                Members::Names(names) => {
                    names.next().map(|(key, value)| (Some(key.as_str()), value))
                }
            };
            if let Some((key, value)) = next {
                self.enter(value);
                return Some((key, value));
            }
            self.open.pop();
        }
        None
    }
}

/// Counts what is written, and ends it at the limit.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > SCHEMA_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
