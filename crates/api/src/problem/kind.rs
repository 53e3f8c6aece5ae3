//! The kinds of problem: one row each, with the code that is documented and never changes its meaning.

use http::StatusCode;
use tonic::Code;

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is not JSON.
    BadJson,
    /// Fields, parameters or headers are not valid.
    Invalid,
    /// The thing asked for is not there.
    NotFound,
    /// There is no such path.
    NoRoute,
    /// The path is there, but not with this method.
    NoMethod,
    /// The name is taken.
    Exists,
    /// `If-Match` names another version than the stored one.
    Stale,
    /// The idempotency key was used with another body.
    KeyReused,
    /// The registry does not take such an event.
    Refused,
    /// The body is larger than allowed.
    TooLarge,
    /// The body is not said to be JSON.
    MediaType,
    /// The body broke off or took too long.
    Slow,
    /// A chain of events is longer than allowed.
    Loop,
    /// Too much is waiting.
    Overloaded,
    /// The process is stopping or starting.
    Unavailable,
    /// Something broke on our side.
    Internal,
    /// A web page of another site sent it, or the name it calls us by is not ours.
    Foreign,
    /// What is to be changed has come to its end.
    TooLate,
    /// A new version of a schema breaks what the mode of its type protects.
    Incompatible,
    /// Others rely on what is to go.
    InUse,
    /// Only the product itself defines such a thing.
    Closed,
}

/// How a kind of problem is told on each face.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) grpc: Code,
    pub(crate) title: &'static str,
}

const fn row(code: &'static str, status: StatusCode, grpc: Code, title: &'static str) -> Row {
    Row { code, status, grpc, title }
}

impl Kind {
    /// Every kind, for the documentation and the tests.
    pub(crate) const ALL: [Self; 21] = [
        Self::BadJson,
        Self::Invalid,
        Self::NotFound,
        Self::NoRoute,
        Self::NoMethod,
        Self::Exists,
        Self::Stale,
        Self::KeyReused,
        Self::Refused,
        Self::TooLarge,
        Self::MediaType,
        Self::Slow,
        Self::Loop,
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
        Self::Foreign,
        Self::TooLate,
        Self::Incompatible,
        Self::InUse,
        Self::Closed,
    ];

    #[rustfmt::skip] // A table is read by column.
    pub(crate) const fn row(self) -> Row {
        use StatusCode as S;
        match self {
            Self::BadJson     => row("OM0001", S::BAD_REQUEST, Code::InvalidArgument, "The body is not valid JSON"),
            Self::Invalid     => row("OM0002", S::BAD_REQUEST, Code::InvalidArgument, "The input is not valid"),
            Self::NotFound    => row("OM0003", S::NOT_FOUND, Code::NotFound, "Not found"),
            Self::NoRoute     => row("OM0004", S::NOT_FOUND, Code::Unimplemented, "No such path"),
            Self::NoMethod    => row("OM0005", S::METHOD_NOT_ALLOWED, Code::Unimplemented, "Method not allowed"),
            Self::Exists      => row("OM0006", S::CONFLICT, Code::AlreadyExists, "The name is taken"),
            Self::Stale       => row("OM0007", S::PRECONDITION_FAILED, Code::FailedPrecondition, "Changed in the meantime"),
            Self::KeyReused   => row("OM0008", S::CONFLICT, Code::AlreadyExists, "The idempotency key was used with another body"),
            Self::Refused     => row("OM0009", S::UNPROCESSABLE_ENTITY, Code::InvalidArgument, "The event is not taken"),
            Self::TooLarge    => row("OM0010", S::PAYLOAD_TOO_LARGE, Code::OutOfRange, "The body is too large"),
            Self::MediaType   => row("OM0011", S::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, "The body must be JSON"),
            Self::Slow        => row("OM0012", S::REQUEST_TIMEOUT, Code::DeadlineExceeded, "The body did not arrive"),
            Self::Loop        => row("OM0013", S::UNPROCESSABLE_ENTITY, Code::FailedPrecondition, "Events cause each other in a loop"),
            Self::Overloaded  => row("OM0014", S::SERVICE_UNAVAILABLE, Code::Unavailable, "Too much is waiting"),
            Self::Unavailable => row("OM0015", S::SERVICE_UNAVAILABLE, Code::Unavailable, "Not available now"),
            Self::Internal    => row("OM0016", S::INTERNAL_SERVER_ERROR, Code::Internal, "Something broke on our side"),
            Self::Foreign     => row("OM0017", S::MISDIRECTED_REQUEST, Code::PermissionDenied, "Not for this address"),
            Self::TooLate     => row("OM0018", S::CONFLICT, Code::FailedPrecondition, "It has come to its end"),
            Self::Incompatible => row("OM0019", S::CONFLICT, Code::FailedPrecondition, "The schema is not compatible"),
            Self::InUse       => row("OM0020", S::CONFLICT, Code::FailedPrecondition, "It is in use"),
            Self::Closed      => row("OM0021", S::FORBIDDEN, Code::PermissionDenied, "It is not yours to define"),
        }
    }

    /// Whether the same call may succeed in a moment.
    pub(crate) fn is_temporary(self) -> bool {
        matches!(self, Self::Overloaded | Self::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_follow_the_order() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.row().code, format!("OM{:04}", index + 1), "{kind:?}");
            assert!(kind.row().status.is_client_error() || kind.row().status.is_server_error());
        }
    }
}
