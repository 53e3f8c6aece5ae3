//! From the errors of the crates below to problems; every variant is named, so a new one has to be thought about.

use omni_event_log::{AppendError, PolicyError, PolicyFault};
use omni_registry::Refused;

use crate::problem::{FieldError, Kind, Problem};

impl From<omni_store::Error> for Problem {
    fn from(error: omni_store::Error) -> Self {
        use omni_store::Error as E;
        match error {
            E::Exists { .. } => Self::new(Kind::Exists, error.to_string()),
            E::Busy { .. } | E::Connect { .. } | E::Lost(_) => {
                tracing::error!(%error, "the store does not answer");
                Self::new(Kind::Unavailable, "The store does not answer; try again in a moment.")
            }
            E::Location(_)
            | E::Migration { .. }
            | E::WriterRetired { .. }
            | E::Corrupt { .. }
            | E::Query(_) => Self::internal("The store", &error),
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        use AppendError as E;
        let text = error.to_string();
        match error {
            E::Refused(refused) => refused.into(),
            E::Metadata { field, reason } => Self::field(format!("/metadata/{field}"), reason),
            E::TooLarge { .. } => Self::new(Kind::TooLarge, text),
            E::Conflict { .. } => Self::new(Kind::KeyReused, text),
            E::Loop { .. } => Self::new(Kind::Loop, text),
            E::Overloaded => Self::new(Kind::Overloaded, text),
            E::Stopped => Self::new(Kind::Unavailable, text),
            E::Store(cause) => {
                tracing::error!(error = &*cause as &dyn std::error::Error, "event not stored");
                let detail = "The event could not be stored. Whether the store has it is known only if you send it \
                              again with the same Idempotency-Key.";
                Self::new(Kind::Unavailable, detail)
            }
        }
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        use PolicyError as E;
        let text = error.to_string();
        match error {
            E::Invalid(faults) => {
                let field = |fault: PolicyFault| FieldError {
                    pointer: fault.pointer.to_owned(),
                    detail: fault.message,
                };
                Self::fields(faults.into_iter().map(field).collect())
            }
            E::TooMany => Self::new(Kind::Invalid, text),
            E::Unreadable { .. } => {
                let problem = Self::internal("Reading a capture policy", &error);
                Self { detail: text, ..problem }
            }
            E::Store(error) => error.into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        let errors = match &refused {
            Refused::UnknownType { .. } => {
                vec![FieldError { pointer: "/eventType".to_owned(), detail: detail.clone() }]
            }
            Refused::Invalid { violations, .. } => violations
                .iter()
                .map(|violation| FieldError {
                    pointer: format!("/payload{}", violation.pointer),
                    detail: violation.message.clone(),
                })
                .collect(),
        };
        Self { errors, ..Self::new(Kind::Refused, detail) }
    }
}

impl From<omni_sources::Error> for Problem {
    fn from(error: omni_sources::Error) -> Self {
        use omni_sources::Error as E;
        let text = error.to_string();
        match error {
            E::Invalid(problems) => Self::fields(
                problems
                    .into_iter()
                    .map(|problem| FieldError { pointer: problem.pointer, detail: problem.message })
                    .collect(),
            ),
            E::Exists(_) => Self::new(Kind::Exists, text),
            E::Stale { .. } => Self::new(Kind::Stale, text),
            E::StillRefused { .. } => Self::new(Kind::Refused, text),
            E::NotWhole => Self::new(Kind::TooLate, text),
            E::NotNow(_) => Self::new(Kind::Unavailable, text),
            E::Unreadable { .. } | E::Crypto { .. } => {
                let problem = Self::internal("Reading the source", &error);
                Self { detail: text, ..problem }
            }
            E::Store(error) => error.into(),
        }
    }
}

impl From<omni_automations::Error> for Problem {
    fn from(error: omni_automations::Error) -> Self {
        use omni_automations::Error as E;
        let text = error.to_string();
        match error {
            E::Invalid(problems) => Self::fields(
                problems
                    .into_iter()
                    .map(|problem| FieldError { pointer: problem.pointer, detail: problem.message })
                    .collect(),
            ),
            E::Exists(_) => Self::new(Kind::Exists, text),
            E::Stale { .. } => Self::new(Kind::Stale, text),
            E::Broken(cause) => Self::internal("Comparing automations", &cause),
            E::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use omni_automations::Problem as Fault;
    use tonic_types::StatusExt as _;

    use super::*;

    fn status(problem: impl Into<Problem>) -> (StatusCode, tonic::Code) {
        let row = problem.into().kind.row();
        (row.status, row.grpc)
    }

    #[test]
    fn errors_have_their_status_on_both_faces() {
        let exists = omni_automations::Error::Exists("a".into());
        assert_eq!(status(exists), (StatusCode::CONFLICT, tonic::Code::AlreadyExists));
        let stale = omni_sources::Error::Stale { current: 3 };
        assert_eq!(
            status(stale),
            (StatusCode::PRECONDITION_FAILED, tonic::Code::FailedPrecondition)
        );
        assert_eq!(
            status(AppendError::Overloaded),
            (StatusCode::SERVICE_UNAVAILABLE, tonic::Code::Unavailable)
        );
        let busy = omni_store::Error::Busy { seconds: 5 };
        assert_eq!(status(busy), (StatusCode::SERVICE_UNAVAILABLE, tonic::Code::Unavailable));
    }

    #[test]
    fn bad_fields_travel_with_their_pointers() {
        let fault = Fault { pointer: "/triggerConditions/0/operator".into(), message: "no".into() };
        let problem = Problem::from(omni_automations::Error::Invalid(vec![fault]));
        let status = tonic::Status::from(problem);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("OM0002", "omni"));
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "/triggerConditions/0/operator");
    }

    #[test]
    fn what_broke_inside_is_not_told() {
        let corrupt = omni_store::Error::Corrupt {
            table: "automations",
            column: "definition",
            reason: "secret-inside".into(),
        };
        let problem = Problem::from(corrupt);
        assert_eq!(problem.kind, Kind::Internal);
        assert!(!problem.detail.contains("secret-inside"), "{}", problem.detail);
    }
}
