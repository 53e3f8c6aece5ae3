//! Before the first event: is the source there, and where does it begin.

use std::{fs, io};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use omni_clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::cli::Listen;
use crate::client::Client;
use crate::error::Error;
use crate::output::clean;

/// Most events of a list.
const PAGE: &str = "500";

/// What events of the source name as theirs. Makes the source if that is wanted and it is not there.
pub(super) async fn source(listen: &Listen, client: &Client) -> Result<String, Error> {
    let name = listen.source.as_str();
    let name = match name.split_once(':') {
        Some(("webhook", name)) => name,
        // No other kind has a source of its own that could be missing.
        Some(_) => return Ok(name.to_owned()),
        None => name,
    };
    if client.find(&["api", "sources", name]).await?.is_none() {
        if !listen.create {
            let next = "`omni source list` shows what is there; --create makes it";
            let what = format!("there is no source {}\nnext: {next}", clean(name));
            return Err(Error::NotFound(what));
        }
        create(listen, name, client).await?;
        anstream::eprintln!("source/{name} created");
    } else if listen.create {
        anstream::eprintln!("source/{name} is there already and stays as it is");
    }
    Ok(format!("webhook:{name}"))
}

async fn create(listen: &Listen, name: &str, client: &Client) -> Result<(), Error> {
    let mut definition = json!({ "name": name });
    if let Some(provider) = &listen.provider {
        definition["provider"] = Value::from(provider.as_str());
    }
    if let Some(secret) = &listen.secret {
        definition["secret"] = Value::from(read(secret)?);
    }
    client.post(&["api", "sources"], definition.to_string().into()).await?;
    Ok(())
}

/// `@FILE` or `-`, without the line end that editors put there. On the command line itself others could read it.
fn read(argument: &str) -> Result<String, Error> {
    let failed = |source| Error::File { path: argument.trim_start_matches('@').into(), source };
    let text = match argument.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(failed)?,
        None if argument == "-" => io::read_to_string(io::stdin()).map_err(failed)?,
        None => {
            let what =
                "--secret: a secret is not typed on the command line, where others can read it";
            return Err(Error::Usage(format!("{what}\nnext: use @FILE, or - for standard input")));
        }
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// After which sequence it begins; none for what comes from now on.
pub(super) async fn place(
    listen: &Listen,
    label: &str,
    client: &Client,
) -> Result<Option<i64>, Error> {
    let (time, count);
    let filter = match (&listen.since, listen.replay) {
        (Some(since), _) => {
            if let Ok(sequence) = since.parse::<i64>() {
                return Ok(Some(sequence));
            }
            time = when(since, SystemClock::new().now())?;
            [("from", time.as_str()), ("order", "asc"), ("limit", PAGE)]
        }
        (None, Some(replay)) => {
            count = replay.to_string();
            [("source", label), ("order", "desc"), ("limit", count.as_str())]
        }
        (None, None) => return Ok(None),
    };
    // Asked before what is looked for, so that nothing comes between the two.
    let end = client.get(&["api", "events"], &[("limit", "1")]).await?.value()?;
    let mut query = vec![("source", label)];
    query.extend(filter.into_iter().filter(|(name, _)| *name != "source"));
    let found = client.get(&["api", "events"], &query).await?.value()?;
    let first = sequences(&found).min().map(|first| first - 1);
    // Lists go by time and streams by sequence: the first of a page is not always the smallest.
    Ok(first.or_else(|| sequences(&end).max()).or(Some(0)))
}

fn sequences(list: &Value) -> impl Iterator<Item = i64> {
    let items = list.get("items").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|event| event.get("sequence")?.as_i64())
}

/// `2026-12-24T18:00:00Z`, or `10m` for ten minutes ago.
fn when(text: &str, now: DateTime<Utc>) -> Result<String, Error> {
    let wrong = || {
        let next =
            "write a sequence, a time (2026-12-24T18:00:00Z) or how long ago (10m; s, m, h, d)";
        Error::Usage(format!("--since {text}: no place in the log\nnext: {next}"))
    };
    let ago = || {
        let unit = text.chars().next_back()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let amount = text.strip_suffix(unit)?.parse::<u32>().ok()?;
        now.checked_sub_signed(TimeDelta::seconds(i64::from(amount) * seconds))
    };
    let exact = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let time = ago().or_else(exact).ok_or_else(wrong)?;
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_time_is_exact_or_so_long_ago() {
        let now = DateTime::from_timestamp(1_795_255_200, 0).unwrap();
        let read = |text| when(text, now).unwrap();
        assert_eq!(read("90s"), "2026-11-21T09:58:30.000Z");
        assert_eq!(read("1d"), "2026-11-20T10:00:00.000Z");
        assert_eq!(read("2026-11-20T10:00:00+01:00"), "2026-11-20T09:00:00.000Z");
        for wrong in ["", "m", "10w", "-1m", "yesterday", "2026-12-24"] {
            assert!(matches!(when(wrong, now), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_without_its_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3 cret\r\n").unwrap();
        assert_eq!(read(&format!("@{}", file.path().display())).unwrap(), "s3 cret");
        let told = read("canary").unwrap_err().to_string();
        assert!(!told.contains("canary"), "{told}");
    }
}
