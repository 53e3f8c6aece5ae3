//! Event types: read them, define them, change what is said of them, and delete them.

mod check;
mod exchange;
mod names;

use chrono::Datelike as _;
use omni_events::{EventType, payload::DefinitionChanged};
use omni_registry::{
    Error, InferOptions, Inferred, NewType, Outcome, REGISTER_EVENTS, Registered, Settings,
    TypeInfo, VersionInfo,
};

pub(crate) use self::{
    check::{Step, check, steps},
    exchange::{export, import},
};
use crate::{
    App,
    call::Call,
    documents::{
        Check, ConfigBody, DeleteTypeQuery, InferBody, RegisterBody, RegisteredDocument, Versions,
    },
    operations::{
        schema_check::{self, Proposed},
        shown,
    },
    problem::{Kind, Problem},
};

/// Who defines types through the API.
const BY: &str = "api";
/// What kind of definition a type is to those who hear that one has changed.
const KIND: &str = "eventType";
/// What registering says when there was nothing to do.
const UNCHANGED: &str = "nothing is different; stored events were not looked at";
/// Most users of a type that one answer names.
const USERS_MAX: usize = 100;

/// Lists the types that the organisation can use, or those under a name.
pub(crate) fn list(app: &App, call: &Call, namespace: Option<&str>) -> Vec<TypeInfo> {
    match namespace {
        Some(namespace) => app.registry.types_in(&call.org, namespace),
        None => app.registry.types(&call.org),
    }
}

/// Reads one type.
pub(crate) fn get(app: &App, call: &Call, event_type: &str) -> Result<TypeInfo, Problem> {
    app.registry.get(&call.org, event_type).ok_or_else(|| unknown(app, call, event_type))
}

/// Registers a type or the next version of its schema, and says what that means for stored events and readers: those
/// that read the newest version until now.
pub(crate) async fn register(
    app: &App,
    call: &Call,
    body: RegisterBody,
) -> Result<RegisteredDocument, Problem> {
    let (event_type, schema, options) = body.into_parts()?;
    let new = NewType { event_type, schema, options, created_by: Some(BY.to_owned()) };
    if app.registry.outcome(&call.org, &new).await? == Outcome::Unchanged {
        let registered = app.registry.register(&call.org, new).await?;
        // Somebody else can have changed it just now, and then it was changed back.
        tell_registered(app, call, &registered).await;
        let summary = UNCHANGED.to_owned();
        return Ok(RegisteredDocument { registered, evidence: None, readers: Vec::new(), summary });
    }
    let proposed = Proposed {
        event_type: &new.event_type,
        schema: new.schema.clone(),
        options: &new.options,
        limit: REGISTER_EVENTS,
    };
    let Check { evidence, readers, summary, .. } =
        schema_check::check(app, call, proposed, |_| {}).await?;
    match app.registry.register(&call.org, new).await {
        Ok(registered) => {
            tell_registered(app, call, &registered).await;
            let evidence = Some(evidence);
            Ok(RegisteredDocument { registered, evidence, readers, summary })
        }
        Err(error) => {
            let refused = matches!(error, Error::Incompatible { .. });
            let problem = Problem::from(error);
            if !refused {
                return Err(problem);
            }
            let problem = problem.with("evidence", &evidence).with("readers", &readers);
            Err(problem.with("summary", &summary))
        }
    }
}

/// The versions of a type, newest first, below one if it is given; also of a type that was deleted.
pub(crate) async fn versions(
    app: &App,
    call: &Call,
    event_type: &str,
    before: Option<i32>,
) -> Result<Versions, Problem> {
    let named = name(app, call, event_type)?;
    let found = app.registry.versions(&call.org, named.as_str(), before).await?;
    if found.is_empty() {
        let is_there = before.is_some()
            && !app.registry.versions(&call.org, named.as_str(), None).await?.is_empty();
        if !is_there {
            return Err(unknown(app, call, event_type));
        }
    }
    Ok(Versions::of(found))
}

/// One version of a type. What is no number names no version.
pub(crate) async fn version(
    app: &App,
    call: &Call,
    event_type: &str,
    version: &str,
) -> Result<VersionInfo, Problem> {
    let named = name(app, call, event_type)?;
    let found = match version.parse() {
        Ok(number) => app.registry.version(&call.org, named.as_str(), number).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| match app.registry.get(&call.org, event_type) {
        Some(known) => Problem::new(
            Kind::NotFound,
            format!(
                "There is no version `{}` of `{event_type}`; its newest is {}.",
                shown(version),
                known.version
            ),
        ),
        None => unknown(app, call, event_type),
    })
}

/// Changes what is said of a type besides its schema.
pub(crate) async fn configure(
    app: &App,
    call: &Call,
    event_type: &str,
    body: ConfigBody,
) -> Result<TypeInfo, Problem> {
    let named = name(app, call, event_type)?;
    let options = body.options()?;
    let before = app.registry.get(&call.org, event_type);
    let configured = app.registry.configure(&call.org, &named, &options).await;
    let info = configured.map_err(|error| told(app, call, error))?;
    if before.as_ref() != Some(&info) {
        tell(app, call, "changed", &info.event_type, Some(info.version)).await;
    }
    Ok(info)
}

/// Deletes a type that nobody relies on, or for good one that was deleted before.
pub(crate) async fn delete(
    app: &App,
    call: &Call,
    event_type: &str,
    query: &DeleteTypeQuery,
) -> Result<(), Problem> {
    let named = name(app, call, event_type)?;
    let users = schema_check::users(app, call, &named).await?;
    if !users.is_empty() {
        return Err(in_use(&named, &users));
    }
    if query.permanent {
        let purged = app.registry.purge(&call.org, &named).await;
        return purged.map_err(|error| told(app, call, error));
    }
    app.registry.delete(&call.org, &named).await.map_err(|error| told(app, call, error))?;
    tell(app, call, "deleted", named.as_str(), None).await;
    Ok(())
}

/// What holds for the types of the organisation that say nothing themselves.
pub(crate) async fn settings(app: &App, call: &Call) -> Result<Settings, Problem> {
    Ok(app.registry.settings(&call.org).await?)
}

/// Says what holds for the types of the organisation that say nothing themselves.
pub(crate) async fn set_settings(
    app: &App,
    call: &Call,
    new: Settings,
) -> Result<Settings, Problem> {
    app.registry.set_settings(&call.org, new).await?;
    Ok(new)
}

/// A schema proposed from the stored events of a type, which need not be registered.
pub(crate) async fn infer(
    app: &App,
    call: &Call,
    event_type: &str,
    body: InferBody,
) -> Result<Inferred, Problem> {
    let named = name(app, call, event_type)?;
    let InferBody { limit, from, to } = body;
    for (pointer, time) in [("/from", from), ("/to", to)] {
        if time.is_some_and(|time| !(0..=9999).contains(&time.year())) {
            return Err(Problem::field(pointer, "give a year from 0 to 9999"));
        }
    }
    let options = InferOptions { limit: events(limit)?, from, to };
    Ok(app.registry.infer(&call.org, &named, options).await?)
}

/// Tells other processes what registering did, if it did anything.
async fn tell_registered(app: &App, call: &Call, registered: &Registered) {
    let change = match registered.outcome {
        Outcome::Created => "created",
        Outcome::NewVersion | Outcome::Configured => "changed",
        Outcome::Unchanged => return,
    };
    let info = &registered.info;
    tell(app, call, change, &info.event_type, Some(info.version)).await;
}

/// Tells other processes that a type is not what it was.
async fn tell(app: &App, call: &Call, change: &str, event_type: &str, version: Option<i32>) {
    let changed = DefinitionChanged {
        kind: KIND.to_owned(),
        name: event_type.to_owned(),
        change: change.to_owned(),
        version,
    };
    app.event_log.tell_changed(&call.org, &changed).await;
}

fn in_use(event_type: &EventType, users: &[String]) -> Problem {
    let first = users.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = match users.len().saturating_sub(3) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let detail = format!(
        "`{event_type}` is not deleted while it is used: {first}{more}. Delete these first, or let them use another type."
    );
    let named = &users[..users.len().min(USERS_MAX)];
    Problem::new(Kind::InUse, detail).with("users", &named)
}

/// How many events a caller wants looked at.
fn events(limit: Option<u64>) -> Result<Option<u64>, Problem> {
    let most = omni_registry::EVENTS_MAX;
    if limit.is_some_and(|limit| limit == 0 || limit > most) {
        return Err(Problem::field("/limit", format!("give a number from 1 to {most}")));
    }
    Ok(limit)
}

/// Reads a name in an address. What cannot be the name of a type names nothing.
fn name(app: &App, call: &Call, event_type: &str) -> Result<EventType, Problem> {
    EventType::parse(event_type).map_err(|_| unknown(app, call, event_type))
}

fn unknown(app: &App, call: &Call, event_type: &str) -> Problem {
    let shown = shown(event_type);
    let near = app.registry.near(&call.org, &shown);
    let detail = format!("There is no registered event type `{shown}` here");
    Problem::new(
        Kind::NotFound,
        match near.as_slice() {
            [] => format!("{detail}."),
            near => format!("{detail}; near names: {}.", near.join(", ")),
        },
    )
}

fn told(app: &App, call: &Call, error: Error) -> Problem {
    match error {
        Error::Unknown { event_type } => unknown(app, call, &event_type),
        error => error.into(),
    }
}
