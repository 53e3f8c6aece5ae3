//! What the server is and can do, asked once at connect.

use async_nats::{
    Client,
    jetstream::{Context, ErrorCode, context::RequestErrorKind, response::Response},
};

use serde::Deserialize;
use serde_json::json;

use super::errors;
use crate::Error;

/// The oldest version that can be used: consumers and direct reads are asked for in ways that came with it.
const OLDEST: Version = Version(2, 9, 0);
/// Several filters for one consumer came with it.
const SEVERAL_FILTERS: Version = Version(2, 10, 0);

/// A server that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// As it says itself.
    pub(crate) version: String,
    /// Whether a consumer may have several filters, as long as they do not overlap.
    pub(crate) several_filters: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl Version {
    /// Reads `2.10.4`, `v2.10`, `2.11.0-RC.2`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split(['.', '-', '+']);
        let mut next = || parts.next().map(str::parse::<u32>);
        Some(Self(next()?.ok()?, next()?.ok()?, next().and_then(Result::ok).unwrap_or(0)))
    }
}

impl Server {
    fn of(version: &str) -> Result<Self, String> {
        let parsed = Version::parse(version).ok_or_else(|| {
            format!("it says that its version is `{version}`: is it a NATS server?")
        })?;
        if parsed < OLDEST {
            return Err(format!(
                "it has version {version}, and 2.9 is the oldest that works: upgrade it"
            ));
        }
        Ok(Self { version: version.to_owned(), several_filters: parsed >= SEVERAL_FILTERS })
    }

    fn missing(&self) -> &'static str {
        if self.several_filters {
            "nothing is missing"
        } else {
            "one filter per consumer (several since 2.10), so consumers with several filters skip messages on our side"
        }
    }
}

/// The part of the account's description that is of interest; its form differs between versions.
#[derive(Debug, Deserialize)]
struct Account {
    limits: Limits,
}

#[derive(Debug, Deserialize)]
struct Limits {
    max_storage: i64,
    max_streams: i64,
    max_consumers: i64,
}

/// Asks the server, and says in one line what it is and what is missing.
pub(crate) async fn probe(
    client: &Client,
    jetstream: &Context,
    shown: &str,
) -> Result<Server, Error> {
    let unsupported = |reason| Error::Unsupported { url: shown.to_owned(), reason };
    let server = Server::of(&client.server_info().version).map_err(unsupported)?;
    let answer = jetstream.request("INFO", &json!({})).await;
    let answer: Response<Account> = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => unsupported(
            "JetStream is not enabled: start the server with `-js`, or with `jetstream {}` in its configuration".into(),
        ),
        _ => errors::request(&error),
    })?;
    let limits = match answer {
        Response::Ok(account) => account.limits,
        Response::Err { error } => return Err(unsupported(match error.error_code() {
            ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
                "JetStream is not enabled for our account: enable it in the server's configuration"
                    .into()
            }
            _ => format!("JetStream does not tell the limits of our account: {error}"),
        })),
    };
    // What has no limit is -1 on the wire.
    let limit = |limit: i64| if limit < 0 { "no limit".to_owned() } else { limit.to_string() };
    tracing::info!(
        url = shown,
        message_size_max = client.max_payload(),
        storage_max = limit(limits.max_storage),
        streams_max = limit(limits.max_streams),
        consumers_max = limit(limits.max_consumers),
        "NATS {}: {}",
        server.version,
        server.missing()
    );
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_follow_from_the_version() {
        for (version, several_filters) in [
            ("2.9.10", false),
            ("v2.9.0", false),
            ("2.10.0", true),
            ("2.10", true),
            ("2.11.0-RC.2", true),
            ("3.0.0", true),
        ] {
            assert_eq!(Server::of(version).unwrap().several_filters, several_filters, "{version}");
        }
        for version in ["2.8.4", "1.4.1", "", "nightly"] {
            assert!(Server::of(version).is_err(), "{version}");
        }
    }
}
