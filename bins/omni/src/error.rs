//! What can go wrong for a person at the command line, how it is told, and the exit code.
//!
//! Every text says what, where, and what to do next.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::output::clean;

/// A command that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something typed makes no sense; nothing was sent.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// Documents could not be read or were refused, each with its place.
    #[error("{}", .0.join("\n"))]
    Documents(Vec<String>),
    /// A name that the server does not know.
    #[error("{0}")]
    NotFound(String),
    /// The server answered with a problem document.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The server could not be reached.
    #[error("{source}\n  at {server}\nnext: is `omni up` running? Another place: --server URL")]
    Unreachable { server: String, source: omni_egress::Error },
    /// The server answered with something else than was expected.
    #[error("{what}\n  at {place}\nnext: is this an Omni server of version {}?", env!("CARGO_PKG_VERSION"))]
    Answer { what: String, place: String },
    /// Results could not be printed.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
    /// The server of `omni up` did not start or broke.
    #[error("{0}")]
    Server(String),
    /// `omni doctor` has found something, and has said what.
    #[error("something is wrong; see above")]
    Unwell,
    /// `omni schema check` has found what would be refused, and has said what.
    #[error("the schema would be refused; see above")]
    Incompatible,
    /// The server refused, and it was told at length; nothing is left to tell when this is empty.
    #[error("{0}")]
    Refused(String),
    /// The demo broke its promise.
    #[error("the demo stopped: {0}")]
    Demo(String),
}

impl Error {
    /// The exit code of the program.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Documents(_) | Self::Refused(_) => 4,
            Self::Problem(problem) if problem.status == StatusCode::NOT_FOUND => 3,
            Self::Problem(problem) if problem.status.is_client_error() => 4,
            // Who closed our output has read enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        })
    }

    /// Whether there is nobody left to tell, or nothing that was not told.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Unwell | Self::Incompatible)
            || matches!(self, Self::Refused(told) if told.is_empty())
            || matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// A problem document (RFC 9457) with the request that it answers.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Status of the answer.
    pub(crate) status: StatusCode,
    /// Method and URL.
    pub(crate) place: String,
    /// All that the server wrote; null if that was no JSON.
    pub(crate) whole: Value,
    document: Document,
}

/// The members of a problem document that we show. All may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    title: Option<String>,
    detail: Option<String>,
    code: Option<String>,
    errors: Vec<Field>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Field {
    pointer: String,
    #[serde(alias = "detail")]
    message: String,
}

impl Problem {
    /// Reads an answer that is no success, whatever is in it.
    pub(crate) fn new(status: StatusCode, place: String, body: &[u8]) -> Self {
        let whole = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let document = Document::deserialize(&whole).unwrap_or_default();
        Self { status, place, whole, document }
    }

    /// One line per broken field: its JSON Pointer and what is wrong with it.
    pub(crate) fn fields(&self) -> impl Iterator<Item = String> {
        self.document.errors.iter().map(|field| {
            let pointer = if field.pointer.is_empty() { "(all)" } else { &field.pointer };
            format!("{}: {}", clean(pointer), clean(&field.message))
        })
    }

    /// What happened, in one line.
    pub(crate) fn what(&self) -> String {
        let Document { title, detail, code, .. } = &self.document;
        let title = title.as_deref().or(self.status.canonical_reason()).unwrap_or("refused");
        // Where fields are at fault, the detail repeats them; they have lines of their own.
        let mut what = match detail {
            Some(detail) if self.document.errors.is_empty() => format!("{title}: {detail}"),
            _ => title.to_owned(),
        };
        if let Some(code) = code {
            what = format!("{what} ({code})");
        }
        clean(&what)
    }

    fn next(&self) -> &'static str {
        match (self.status.as_u16(), self.document.code.as_deref()) {
            (_, Some("OM0020")) => "change or delete what relies on it first; nothing was changed",
            (_, Some("OM0021")) => "choose a name under custom.; `list` shows what is there",
            (401 | 403, _) => "use a key that may do this",
            (404, _) => "check the id or name, and --org; `list` shows what is there",
            (409, Some("OM0006")) => "choose another name, or `omni apply` to update",
            (409, _) => "see what stands in the way; nothing was changed",
            (412, _) => "somebody else changed it; read it again and repeat",
            (413, _) => "send less at once",
            (429 | 503, _) => "the server is busy; wait a little and repeat",
            (400..=499, _) => "correct it and repeat; nothing was changed",
            _ => "look at the log of the server",
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what())?;
        for field in self.fields() {
            writeln!(f, "  {field}")?;
        }
        writeln!(f, "  at {} → {}", self.place, self.status.as_u16())?;
        write!(f, "next: {}", self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, document: &str) -> Problem {
        let status = StatusCode::from_u16(status).unwrap();
        let place = "POST http://127.0.0.1:7400/api/automations".into();
        Problem::new(status, place, document.as_bytes())
    }

    #[test]
    fn a_problem_says_what_where_and_next() {
        let problem = problem(
            422,
            r#"{"title":"Invalid automation","detail":"2 fields are wrong","code":"OM0003",
                "errors":[{"pointer":"/actions/0/type","message":"no such action"},
                          {"pointer":"","detail":"evil \u001b[2J"}]}"#,
        );
        assert_eq!(
            problem.to_string(),
            "Invalid automation (OM0003)\n\
             \x20 /actions/0/type: no such action\n\
             \x20 (all): evil \\u{1b}[2J\n\
             \x20 at POST http://127.0.0.1:7400/api/automations → 422\n\
             next: correct it and repeat; nothing was changed"
        );
    }

    #[test]
    fn exit_codes_tell_missing_from_refused_from_failed() {
        let code = |status| Error::Problem(Box::new(problem(status, "{}"))).exit_code();
        assert_eq!(code(404), ExitCode::from(3));
        assert_eq!(code(422), ExitCode::from(4));
        assert_eq!(code(503), ExitCode::from(1));
        assert_eq!(Error::Usage(String::new()).exit_code(), ExitCode::from(2));
        let closed = Error::Output(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(closed.is_silent());
        assert_eq!(closed.exit_code(), ExitCode::SUCCESS);
    }
}
