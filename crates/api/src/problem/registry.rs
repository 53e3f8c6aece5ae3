//! From the errors of the registry of event types to problems.

use omni_registry::{Compared, Error, Finding};
use omni_schema::NotImported;

use crate::problem::{FieldError, Kind, Problem};

/// Longest counter-example in the text of a field, in bytes; the whole one is in the extension `compared`.
const EXAMPLE_MAX: usize = 400;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use Error as E;
        let text = error.to_string();
        match error {
            E::Store(error) => error.into(),
            E::Closed { .. } => at("/eventType", Self::new(Kind::Closed, text)),
            E::Schema { reason, .. } => {
                Self::field(format!("/schema{}", reason.pointer), reason.reason)
            }
            E::Incompatible { compared, .. } => {
                let errors = broken(&compared);
                Self { errors, ..Self::new(Kind::Incompatible, text) }.with("compared", &compared)
            }
            E::Unknown { event_type } => Self::not_found("registered event type", event_type),
            E::NotDeleted { .. } => Self::new(Kind::InUse, text),
            E::Description { .. } => Self::field("/description", text),
            E::StreamTaken { .. } => at("/stream", Self::new(Kind::InUse, text)),
            E::Broken(cause) => Self::internal("Work on schemas", &cause),
            E::Busy { .. } | E::Stopping => Self::new(Kind::Unavailable, text),
        }
    }
}

impl From<NotImported> for Problem {
    fn from(refused: NotImported) -> Self {
        Self::field(format!("/document{}", refused.pointer), refused.reason)
    }
}

fn at(pointer: &str, problem: Problem) -> Problem {
    let field = FieldError { pointer: pointer.to_owned(), detail: problem.detail.clone() };
    Problem { errors: vec![field], ..problem }
}

/// What is refused, as fields: so that a client that knows problems and no schemas, and one over gRPC, sees it too.
fn broken(compared: &Compared) -> Vec<FieldError> {
    let found = compared.refused().map(|(version, finding)| FieldError {
        pointer: format!("/schema{}", finding.path),
        detail: told(version, finding),
    });
    found.take(super::FIELDS_MAX).collect()
}

fn told(version: i32, finding: &Finding) -> String {
    let Finding { rule, message, counter_example, .. } = finding;
    let example = counter_example.as_ref().map(|example| {
        let mut text = example.to_string();
        if text.len() > EXAMPLE_MAX {
            text.truncate(text.floor_char_boundary(EXAMPLE_MAX));
            text.push('…');
        }
        format!(" For example: {text}")
    });
    super::head(format!(
        "{message} ({rule}, against version {version}){}",
        example.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_fault_of_ours() {
        let broken = omni_registry::off_thread(|| panic!("secret")).await.unwrap_err();
        let problem = Problem::from(broken);
        assert_eq!(problem.kind, Kind::Internal);
        assert!(!problem.detail.contains("secret"), "{}", problem.detail);
        assert_eq!(Problem::from(Error::Stopping).kind, Kind::Unavailable);
    }
}
