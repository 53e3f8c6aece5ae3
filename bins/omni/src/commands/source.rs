//! `omni source list|get`

use crate::cli::Source;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, card, page};

const COLUMNS: &[(&str, &str)] = &[
    ("NAME", "/name"),
    ("KIND", "/kind"),
    ("PROVIDER", "/provider"),
    ("ENABLED", "/enabled"),
    ("VERSION", "/version"),
    ("UPDATED", "/updatedAt"),
];

const CARD: &[(&str, &str)] = &[
    ("name", "/name"),
    ("kind", "/kind"),
    ("provider", "/provider"),
    ("enabled", "/enabled"),
    ("verifier", "/verifier"),
    ("expected headers", "/expectedHeaders"),
    ("idempotency keys", "/idempotencyKeys"),
    ("event type from", "/eventTypeFrom"),
    ("limits", "/limits"),
    ("version", "/version"),
    ("created", "/createdAt"),
    ("updated", "/updatedAt"),
];

pub(super) async fn run(command: &Source, client: &Client, out: Out) -> Result<(), Error> {
    match command {
        Source::List(part) => {
            let limit = part.limit.to_string();
            let query = super::query(part, &limit, &[]);
            let answer = client.get(&["api", "sources"], &query).await?;
            out.answer(&answer, |answer| page(COLUMNS, answer))
        }
        Source::Get { name } => {
            let answer = client.get(&["api", "sources", name], &[]).await?;
            out.answer(&answer, |source| card(CARD, source).join("\n"))
        }
    }
}
