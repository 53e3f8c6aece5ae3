//! A place in a request, compiled, and reading what stands there.
//!
//! Of two headers, fields or parameters with one name nobody knows which was meant: such a request is refused.

use std::borrow::Cow;

use http::HeaderName;

use super::{
    compile::Problems,
    fault::{Fault, Spot},
    field::{self, NoField},
};
use crate::{definition, webhook::request::RequestView};

/// Longest path into a body in bytes.
const PATH_LEN_MAX: usize = 256;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Header(HeaderName),
    Field(Vec<String>),
    Query(String),
}

impl Place {
    /// Compiles a place that is no pair; says what is wrong under the pointer.
    pub(super) fn new(
        place: &definition::Place,
        pointer: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        match place {
            definition::Place::Header(name) => {
                problems.header(&format!("{pointer}/header"), name).map(Self::Header)
            }
            definition::Place::Field(path) => {
                problems.path(&format!("{pointer}/field"), path).map(Self::Field)
            }
            definition::Place::Query(name) if name.is_empty() || name.len() > PATH_LEN_MAX => {
                problems.add(
                    format!("{pointer}/query"),
                    "name a parameter of the query with 1 to 256 bytes",
                );
                None
            }
            definition::Place::Query(name) => Some(Self::Query(name.clone())),
            definition::Place::Pair(_) => {
                let text =
                    "a pair can only hold a timestamp beside the signature, and needs `pairs`";
                problems.add(format!("{pointer}/pair"), text);
                None
            }
        }
    }

    /// What stands there.
    pub(crate) fn read<'r>(&self, request: RequestView<'r>) -> Result<Cow<'r, [u8]>, Fault> {
        match self {
            Self::Header(name) => header(request, name).map(Cow::Borrowed),
            Self::Field(path) => bytes(field::value(request.headers, request.body, path)),
            Self::Query(name) => {
                bytes(field::only(request.uri.query().unwrap_or_default().as_bytes(), name))
            }
        }
        .map_err(|fault| fault.at(self))
    }

    pub(crate) fn spot(&self) -> Spot {
        match self {
            Self::Header(name) => Spot::Header(name.clone()),
            Self::Field(path) => Spot::Field(path.join(".")),
            Self::Query(name) => Spot::Query(name.clone()),
        }
    }
}

fn bytes(value: Result<Cow<'_, str>, NoField>) -> Result<Cow<'_, [u8]>, NoField> {
    value.map(|text| match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

fn header<'r>(request: RequestView<'r>, name: &HeaderName) -> Result<&'r [u8], NoField> {
    let mut values = request.headers.get_all(name).iter();
    let value = values.next().ok_or(NoField::Missing)?;
    if values.next().is_some() { Err(NoField::Repeated) } else { Ok(value.as_bytes()) }
}

impl NoField {
    fn at(self, place: &Place) -> Fault {
        match self {
            Self::Missing => Fault::Missing(place.spot()),
            Self::Repeated => Fault::Repeated(place.spot()),
        }
    }
}

impl Problems {
    /// A path into a body.
    pub(super) fn path(&mut self, pointer: &str, path: &str) -> Option<Vec<String>> {
        if path.len() > PATH_LEN_MAX || path.split('.').any(str::is_empty) {
            self.add(pointer, "use a dotted path into the body, as in data.id");
            return None;
        }
        Some(path.split('.').map(str::to_owned).collect())
    }
}
