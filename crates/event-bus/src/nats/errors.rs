//! What the client and the server say, as our errors.

use std::sync::Arc;

use async_nats::{
    ConnectError, ConnectErrorKind,
    jetstream::{
        self,
        context::{RequestError, RequestErrorKind},
    },
};

use super::Credentials;
use crate::Error;

/// Why the first connection was not made, and what to do.
pub(crate) fn connect(shown: &str, login: &Credentials, error: &ConnectError) -> Error {
    let said = chain(error);
    let reason = match error.kind() {
        ConnectErrorKind::AuthorizationViolation => refused(login),
        ConnectErrorKind::Authentication => format!("{}; {said}", unusable(login)),
        ConnectErrorKind::Dns => format!("its name is not known here ({said}): check it"),
        ConnectErrorKind::TimedOut => {
            "it does not answer in time: check the address, and that nothing in between blocks it"
                .into()
        }
        _ if said.contains("certificate") => format!(
            "its certificate is not trusted, or ours is missing or not trusted by it ({said}): give the CA that signed \
             it, or our certificate and key"
        ),
        _ if said.contains("InvalidContentType") || said.contains("corrupt message") => {
            "it does not speak TLS: configure TLS there, or connect without".into()
        }
        _ if said.contains("refused") => {
            format!("nobody listens there ({said}): start the server, or check the address")
        }
        _ => said,
    };
    Error::Connect { url: shown.to_owned(), reason }
}

fn refused(login: &Credentials) -> String {
    match login {
        Credentials::None => "it wants a login and none is given".into(),
        Credentials::Password { user, .. } => {
            format!("it refuses user `{user}`: check the name and the password")
        }
        Credentials::Token(_) => "it refuses the token: check it".into(),
        Credentials::NKey(_) => {
            "it refuses the NKey: its public half must be among the server's users".into()
        }
        Credentials::File(path) => format!(
            "it refuses the credentials in {}: they may be expired, revoked, or of another account server",
            path.display()
        ),
    }
}

fn unusable(login: &Credentials) -> String {
    match login {
        Credentials::NKey(_) => {
            "the NKey seed is not valid: it begins with SU and has 58 letters".into()
        }
        Credentials::File(path) => format!("the credentials in {} are not valid", path.display()),
        _ => "the login cannot be used".into(),
    }
}

/// There is no connection at the moment.
pub(crate) fn lost() -> Error {
    Error::Unavailable { reason: "the connection to NATS is lost and is being made again".into() }
}

/// A question to JetStream that got no answer.
pub(crate) fn request(error: &RequestError) -> Error {
    let reason = match error.kind() {
        RequestErrorKind::NoResponders => {
            "JetStream does not answer: it may still be starting, or be disabled".into()
        }
        RequestErrorKind::TimedOut => "JetStream does not answer in time".into(),
        _ => chain(error),
    };
    Error::Unavailable { reason }
}

/// Something that did not come about because the server is away, or is just starting; for `map_err`.
pub(crate) fn unanswered<E: std::error::Error>(doing: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::Unavailable { reason: format!("could not {doing}: {}", chain(&error)) }
}

/// A question to JetStream that it answered with an error.
pub(crate) fn answer(doing: &'static str, error: jetstream::Error) -> Error {
    Error::Backend { doing, source: Arc::new(error) }
}

/// An error and its causes in one line, without repeating what a cause says already.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
