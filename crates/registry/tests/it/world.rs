//! What the tests share.

use std::sync::Arc;

use omni_clock::{Clock as _, ManualClock};
use omni_event_bus::Stream;
use omni_events::{EventType, Org, Payload};
use omni_registry::{
    Checked, Compatibility, Error, NewType, Refused, Registered, Registry, TypeOptions, Validation,
};
use omni_store::{
    Store, schemas,
    schemas::{Change, TypeRow},
};
use serde_json::{Value, json};

pub(crate) async fn open(store: &Store) -> (Registry, ManualClock) {
    let clock = ManualClock::at_unix(1_700_000_000);
    (Registry::open(store.clone(), Arc::new(clock.clone())).await.unwrap(), clock)
}

pub(crate) async fn opened() -> Registry {
    open(&Store::temporary().await).await.0
}

pub(crate) async fn postgres() -> Store {
    Store::temporary_postgres(&omni_store::testing::server_url()).await
}

pub(crate) fn org(name: &str) -> Org {
    Org::parse(name).unwrap()
}

pub(crate) fn kind(name: &str) -> EventType {
    EventType::parse(name).unwrap()
}

/// A type that takes anything that has a total.
pub(crate) fn new(name: &str) -> NewType {
    NewType {
        event_type: kind(name),
        schema: json!({ "required": ["total"] }),
        options: TypeOptions {
            description: Some("An order was paid.".into()),
            ..TypeOptions::default()
        },
        created_by: Some("mona".into()),
    }
}

pub(crate) fn with(name: &str, schema: Value) -> NewType {
    NewType { schema, options: TypeOptions::default(), ..new(name) }
}

/// A type of which any version may follow any.
pub(crate) fn loose(name: &str, schema: Value) -> NewType {
    let compatibility = Some(Compatibility::None);
    NewType {
        options: TypeOptions { compatibility, ..TypeOptions::default() },
        ..with(name, schema)
    }
}

pub(crate) fn routed(name: &str, stream: Stream) -> NewType {
    let mut new = new(name);
    new.options.stream = Some(stream);
    new
}

/// Registers for `acme`.
pub(crate) async fn register(registry: &Registry, new: NewType) -> Result<Registered, Error> {
    registry.register(&org("acme"), new).await
}

pub(crate) fn check(
    registry: &Registry,
    owner: &str,
    name: &str,
    payload: &Value,
) -> Result<Checked, Refused> {
    registry.check(&org(owner), &kind(name), &Payload::from_value(payload))
}

/// Writes the next version of a type of `acme` past the registry, which would compare it.
pub(crate) async fn next_version(store: &Store, name: &str, schema: &Value) {
    let mut conn = store.write().await.unwrap();
    let Some(row) = schemas::get(&mut conn, "acme", name).await.unwrap() else {
        drop(conn);
        return define(store, "acme", name, Validation::Enforce, schema.clone()).await;
    };
    let change = Change { row, schema: Some(schema.to_string()), changed_by: None };
    schemas::put(&mut conn, &change).await.unwrap();
}

/// Writes a type past the registry, as another release might have.
pub(crate) async fn define(
    store: &Store,
    owner: &str,
    name: &str,
    validation: Validation,
    schema: Value,
) {
    let now = ManualClock::at_unix(1).now();
    let row = TypeRow::new(owner, name, validation.as_str(), now);
    let change = Change { row, schema: Some(schema.to_string()), changed_by: None };
    schemas::put(&mut store.write().await.unwrap(), &change).await.unwrap();
}
