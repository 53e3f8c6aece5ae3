//! What is wrong with the events of one call: gathered over all of them, each told with its place in what was sent.

use omni_events::InvalidCloudEvent;

use crate::{
    body::escape,
    problem::{FieldError, Kind, Problem},
};

/// Most faults that are told of one call.
pub(super) const FAULTS_MAX: usize = 20;

/// How an event was sent; it decides how the places in it are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a trigger has it.
    Own,
    /// As a CloudEvent in the JSON format.
    CloudEvent,
    /// As a CloudEvent in the binary mode: the attributes are headers, the body is the data.
    Headers,
}

impl Form {
    /// The place of an attribute of a CloudEvent, or of its `data`.
    pub(super) fn attribute(self, name: &str) -> String {
        match (self, name) {
            (Self::Headers, "data") => String::new(),
            (Self::Headers, name) => format!("ce-{name}"),
            (_, name) => format!("/{}", escape(name)),
        }
    }

    /// The problem with its places as they are called in this form.
    pub(super) fn told(self, problem: Problem) -> Problem {
        if self == Self::Own {
            return problem;
        }
        let errors = problem.errors.into_iter().map(|FieldError { pointer, detail }| FieldError {
            pointer: self.renamed(&pointer),
            detail,
        });
        let errors = errors.collect();
        match problem.kind {
            // Its detail repeats the place.
            Kind::Invalid => Problem::fields(errors),
            kind => Problem { errors, ..Problem::new(kind, problem.detail) },
        }
    }

    fn renamed(self, pointer: &str) -> String {
        if let Some(inner) = pointer.strip_prefix("/payload") {
            return format!("{}{inner}", self.attribute("data"));
        }
        match pointer.strip_prefix("/metadata/") {
            None if pointer == "/eventType" => self.attribute("type"),
            None => pointer.to_owned(),
            Some("channelType") => self.attribute("omnichannel"),
            Some("instanceId") => self.attribute("omniinstance"),
            Some("provider") => self.attribute("source"),
            Some("providerEventId") => self.attribute("id"),
            Some("payload") => self.attribute("data"),
            Some(field) => self.attribute(&field.to_ascii_lowercase()),
        }
    }
}

/// Says why a CloudEvent cannot be read, and where.
pub(super) fn unreadable(form: Form, error: &InvalidCloudEvent) -> Problem {
    use InvalidCloudEvent as E;
    let pointer = match error {
        E::Missing { attribute } => form.attribute(attribute),
        E::Version { .. } => form.attribute("specversion"),
        E::Attribute { name, .. } => form.attribute(name),
        E::Format { .. } => "Content-Type".to_owned(),
        E::Json(_) => String::new(),
        E::Data(_) => form.attribute("data"),
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Problem::field(pointer, format!("{error}{}", cause.unwrap_or_default()))
}

/// The faults of a call.
#[derive(Debug)]
pub(super) struct Faults {
    batch: bool,
    wrong: usize,
    /// The first problem, with the kind and the faults of all.
    told: Option<Problem>,
}

impl Faults {
    pub(super) fn new(batch: bool) -> Self {
        Self { batch, wrong: 0, told: None }
    }

    /// How many events are at fault.
    pub(super) fn wrong(&self) -> usize {
        self.wrong
    }

    /// Counts an event at fault without saying more.
    pub(super) fn count(&mut self) {
        self.wrong += 1;
    }

    /// Adds what is wrong with an event.
    pub(super) fn add(&mut self, index: usize, mut problem: Problem) {
        self.count();
        if self.batch {
            if problem.errors.is_empty() {
                let detail = problem.detail.clone();
                problem.errors.push(FieldError { pointer: String::new(), detail });
            }
            for error in &mut problem.errors {
                // What is no pointer is a header, and belongs to the call.
                if error.pointer.is_empty() || error.pointer.starts_with('/') {
                    error.pointer.insert_str(0, &format!("/{index}"));
                }
            }
        }
        match &mut self.told {
            None => self.told = Some(problem),
            Some(told) => {
                told.kind = common(told.kind, problem.kind);
                told.errors.extend(problem.errors);
            }
        }
        if let Some(told) = &mut self.told {
            told.errors.truncate(FAULTS_MAX);
        }
    }

    /// The refusal of a call of which nothing was stored; none when nothing is wrong.
    pub(super) fn refusal(self, total: usize) -> Option<Problem> {
        let (batch, wrong) = (self.batch, self.wrong);
        self.problem(|first| {
            let events = if wrong == 1 { "event is" } else { "events are" };
            let told =
                format!("{wrong} of {total} {events} not taken, so none was stored. {first}");
            if batch { told } else { first }
        })
    }

    /// The answer to a call of which a part could not be stored; none when all was.
    pub(super) fn failure(self, stored: usize, total: usize, again: &str) -> Option<Problem> {
        let batch = self.batch;
        self.problem(|first| {
            let told =
                format!("{stored} of {total} events were stored, see `items`. {again} {first}");
            if batch { told } else { first }
        })
    }

    fn problem(self, detail: impl FnOnce(String) -> String) -> Option<Problem> {
        let batch = self.batch;
        self.told.map(|Problem { kind, detail: text, errors, extensions }| {
            let first = match errors.first() {
                Some(first) if batch => format!("{}: {}", first.pointer, first.detail),
                _ => text,
            };
            Problem { errors, extensions, ..Problem::new(kind, detail(first)) }
        })
    }
}

/// One kind for two: what may succeed in a moment is worth trying again, everything else is in the input.
fn common(one: Kind, other: Kind) -> Kind {
    if one == other || one.is_temporary() {
        one
    } else if other.is_temporary() {
        other
    } else {
        Kind::Invalid
    }
}
