//! Event types from OpenAPI and AsyncAPI documents, and back.

use std::collections::HashSet;

use omni_events::EventType;
use omni_registry::{Compared, Error, NewType, Outcome, TypeInfo, off_thread};
use omni_schema::{Exported, Imported, Imports, export_asyncapi, export_openapi};
use serde_json::Value;

use super::{BY, names::event_type_of};
use crate::{
    App,
    call::Call,
    documents::{
        ExportFormat, ExportQuery, ImportBody, ImportDocument, ImportOutcome, ImportedDocument,
    },
    operations::shown,
    problem::Problem,
};

/// What names begin with unless the caller wants something else.
const PREFIX: &str = "custom";
/// Title of an exported document.
const TITLE: &str = "Omni events";

/// Registers what a document describes, each type by itself, or tells what would be done.
pub(crate) async fn import(
    app: &App,
    call: &Call,
    body: ImportBody,
) -> Result<ImportDocument, Problem> {
    let ImportBody { document, prefix, dry_run, validation, compatibility } = body;
    let prefix = prefix.unwrap_or_else(|| PREFIX.to_owned());
    check_prefix(&prefix)?;
    app.registry.refresh().await?;
    let Imports { types, refused } = off_thread(move || omni_schema::import(&document)).await??;
    let mut taken = HashSet::new();
    let mut told = Vec::new();
    for Imported { name, description, schema } in types {
        let mut answer =
            ImportedDocument { name: Some(shown(&name)), ..ImportedDocument::default() };
        let event_type = match event_type_of(&prefix, &name) {
            Ok(event_type) => event_type,
            Err(reason) => {
                told.push(failed(answer, &Problem::field("/name", reason)));
                continue;
            }
        };
        if is_built_in(app, call, &name) && (prefix == PREFIX || event_type.as_str() == name) {
            let outcome = Some(ImportOutcome::BuiltIn);
            told.push(ImportedDocument { event_type: Some(name), outcome, ..answer });
            continue;
        }
        answer.event_type = Some(event_type.to_string());
        if !taken.insert(event_type.clone()) {
            let reason = "another name of the document is the same event type; rename one of them";
            told.push(failed(answer, &Problem::field("/name", reason)));
            continue;
        }
        let config = crate::documents::ConfigBody {
            description: description.into(),
            validation,
            compatibility: compatibility.into(),
            ..Default::default()
        };
        let done = match config.options() {
            Ok(options) => {
                let created_by = Some(BY.to_owned());
                let new = NewType { event_type, schema, options, created_by };
                let done =
                    if dry_run { tried(app, call, &new).await } else { made(app, call, new).await };
                done.map_err(Box::new)
            }
            Err(problem) => {
                told.push(failed(answer, &problem));
                continue;
            }
        };
        told.push(match done {
            Ok((outcome, compared)) => {
                let outcome = Some(ImportOutcome::from(outcome));
                ImportedDocument { outcome, compared: Some(compared), ..answer }
            }
            Err(error) => refusal(answer, *error),
        });
    }
    told.extend(
        refused.into_iter().map(|refused| failed(ImportedDocument::default(), &refused.into())),
    );
    Ok(ImportDocument { types: told })
}

/// Describes the types that the organisation can use.
pub(crate) async fn export(app: &App, call: &Call, query: ExportQuery) -> Result<Value, Problem> {
    let ExportQuery { format, namespace } = query;
    let found = super::list(app, call, namespace.as_deref());
    let document = off_thread(move || {
        let types: Vec<Exported> = found.into_iter().map(exported).collect();
        match format {
            ExportFormat::Openapi => export_openapi(TITLE, &types),
            ExportFormat::Asyncapi => export_asyncapi(TITLE, &types),
        }
    });
    Ok(document.await?)
}

fn exported(info: TypeInfo) -> Exported {
    let TypeInfo { event_type, description, version, schema, .. } = info;
    Exported { name: event_type, description, version, schema }
}

fn check_prefix(prefix: &str) -> Result<(), Problem> {
    let named = EventType::parse(&format!("{prefix}.x"))
        .map_err(|error| Problem::field("/prefix", error.to_string()))?;
    if named.domain().is_open() {
        return Ok(());
    }
    Err(Problem::field("/prefix", "it must begin with `custom` or `system`"))
}

async fn made(app: &App, call: &Call, new: NewType) -> Result<(Outcome, Compared), Error> {
    let registered = app.registry.register(&call.org, new).await?;
    super::tell_registered(app, call, &registered).await;
    Ok((registered.outcome, registered.compared))
}

/// What registering would do.
async fn tried(app: &App, call: &Call, new: &NewType) -> Result<(Outcome, Compared), Error> {
    let NewType { event_type, schema, options, .. } = new;
    let compared = app.registry.compare(&call.org, event_type, schema.clone(), options).await?;
    let outcome = app.registry.outcome(&call.org, new).await?;
    if outcome == Outcome::NewVersion && !compared.compatible {
        let event_type = event_type.to_string();
        return Err(Error::Incompatible { event_type, compared: Box::new(compared) });
    }
    Ok((outcome, compared))
}

/// Whether a name is a type that comes with the product: everybody has it, and nobody can register it.
fn is_built_in(app: &App, call: &Call, name: &str) -> bool {
    app.registry.get(&call.org, name).is_some_and(|known| known.built_in)
}

fn refusal(answer: ImportedDocument, error: Error) -> ImportedDocument {
    let compared = match &error {
        Error::Incompatible { compared, .. } => Some(compared.as_ref().clone()),
        _ => None,
    };
    // What was compared is told once, beside the problem.
    let problem = Problem { extensions: serde_json::Map::new(), ..error.into() };
    ImportedDocument { compared, ..failed(answer, &problem) }
}

fn failed(answer: ImportedDocument, problem: &Problem) -> ImportedDocument {
    // Strings and numbers only: writing them cannot fail.
    let problem = serde_json::to_value(problem.document()).unwrap_or_default();
    ImportedDocument { problem: Some(problem), ..answer }
}
