//! `omni listen`: sends what comes in at a source on to a server of the developer, as it originally came.
//!
//! Nothing is changed on our side: no outcome of a forward is written, and an event is asked for again only when the
//! server was gone before its forward was told.

mod deliver;
mod origin;
mod start;

use http::{HeaderName, HeaderValue};
use omni_egress::{Config, Egress};
use owo_colors::OwoColorize;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use self::deliver::{Counts, Delivery};
use super::follow::Follow;
use crate::cli::Listen;
use crate::client::Client;
use crate::error::Error;
use crate::output::{Out, clean};

/// What is read of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    id: String,
    sequence: i64,
    #[serde(rename = "type")]
    kind: String,
    received_at: String,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    expunged: Option<serde::de::IgnoredAny>,
}

/// Where requests go on to, and with which headers.
struct Local {
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    egress: Egress,
}

pub(super) async fn run(listen: &Listen, client: &Client, out: Out) -> Result<(), Error> {
    let local = Local {
        url: url(&listen.forward)?,
        headers: listen.header.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
        // The person who typed the command chose the address.
        egress: Egress::new(Config { timeout: listen.patience(), ..Config::open() }),
    };
    let failed = |source| Error::Server(format!("signals cannot be listened to: {source}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;

    let label = start::source(listen, client).await?;
    let after = start::place(listen, &label, client).await?;
    let mut counts = Counts::default();
    let mut follow = Follow::new(vec![("source", &label)], after);
    follow.ready = Some(format!("{} → {} (Ctrl-C ends)", clean(&label).bold(), local.url));
    let ended = tokio::select! {
        ended = follow.run(client, async |document| {
            let delivery = forward(document, client, &local).await?;
            counts.add(&delivery);
            out.event(&delivery, Delivery::people)
        }) => ended,
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
    };
    anstream::eprintln!("{counts}");
    if let Some(last) = follow.last {
        anstream::eprintln!("{}", format!("to go on from here: --since {last}").dimmed());
    }
    ended
}

async fn forward(document: &str, client: &Client, local: &Local) -> Result<Delivery, Error> {
    let event: Event<'_> = serde_json::from_str(document).map_err(|error| Error::Answer {
        what: format!("an event cannot be read: {error}"),
        place: "GET /api/events/stream".to_owned(),
    })?;
    let origin = origin::of(&event, client).await?;
    Ok(deliver::deliver(event, origin, local).await)
}

/// `http://localhost:3000/hook`, or without the scheme, or only the port and the path.
fn url(text: &str) -> Result<Url, Error> {
    let wrong = |why: &str| {
        Error::Usage(format!(
            "--forward {text}: {why}\nnext: write a URL such as http://localhost:3000/webhooks"
        ))
    };
    let is_port = text.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok());
    let whole = match text {
        // A lone number would be read as an address.
        _ if is_port => format!("http://localhost:{text}"),
        _ if text.contains("://") => text.to_owned(),
        _ => format!("http://{text}"),
    };
    let url = Url::parse(&whole).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(wrong(&format!("{scheme} is not spoken"))),
    }
}

/// `Name: value`.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let read = || {
        let (name, value) = text.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        let value = HeaderValue::from_str(value.trim()).ok()?;
        (!omni_egress::is_reserved_header(&name)).then_some((name, value))
    };
    // The value may be a secret, so it is not repeated.
    let wrong = || {
        let usage = "write it as 'Name: value'; Host and what frames the message are not set";
        Error::Usage(format!("--header: this is no header that can be sent\nnext: {usage}"))
    };
    read().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_server_is_named_shortly_or_by_its_whole_url() {
        for (text, whole) in [
            ("localhost:3000", "http://localhost:3000/"),
            ("3000/hooks", "http://localhost:3000/hooks"),
            ("localhost:3000/a?b=c", "http://localhost:3000/a?b=c"),
            ("127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
            ("https://dev.example/hook", "https://dev.example/hook"),
        ] {
            assert_eq!(url(text).unwrap().as_str(), whole);
        }
        for wrong in ["", "ftp://a", "http://", "http://a:99999"] {
            assert!(matches!(url(wrong), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_header_is_not_repeated() {
        let (name, value) = header("X-Gitlab-Token:  s3 ").unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-gitlab-token", b"s3".as_slice()));
        for wrong in ["canary", "a b: canary", "host: canary", "x: a\ncanary"] {
            let told = header(wrong).unwrap_err().to_string();
            assert!(!told.contains("canary"), "{told}");
        }
    }
}
