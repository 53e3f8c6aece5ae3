//! `omni up --demo`: one signed GitHub push, from the request to its last effect.
//!
//! Nothing here is staged: the request goes over HTTP like any other, and every line is printed
//! when the server, asked over its public surface, says that it happened. If a step does not
//! happen in time, the demo fails and says which.

mod push;
mod receiver;
mod story;

use std::time::Duration;

use omni_clock::{Clock, Random, SystemClock};
use owo_colors::OwoColorize;

use crate::cli::SERVER_DEFAULT;
use crate::client::Client;
use crate::commands::apply;
use crate::demo::push::Push;
use crate::demo::receiver::Receiver;
use crate::documents;
use crate::error::Error;
use crate::output::line;

/// Every step takes milliseconds; a machine that needs this long has another problem.
const STEP_MAX: Duration = Duration::from_secs(10);
/// Between two looks at whether a step has happened.
const PAUSE: Duration = Duration::from_millis(10);

const SOURCE: &str = include_str!("../demo/source.yaml");
const AUTOMATIONS: &str = include_str!("../demo/automations.yaml");

/// Applies the definitions, sends the push and tells what comes of it. `stays` says whether the
/// server goes on, so that there is something to try next.
pub(crate) async fn run(client: &Client, stays: bool) -> Result<(), Error> {
    let random = Random::from_entropy();
    let receiver = Receiver::start().await?;
    let push = Push::new(&random, &SystemClock::new())?;

    heading("Definitions (bins/omni/demo)")?;
    define("demo/source.yaml", &SOURCE.replace("${SECRET}", push.secret()), client).await?;
    define("demo/automations.yaml", &AUTOMATIONS.replace("${RECEIVER}", receiver.url()), client)
        .await?;
    story::tell(client, &push, receiver).await?;
    if stays { try_next(client) } else { Ok(()) }
}

async fn define(name: &str, text: &str, client: &Client) -> Result<(), Error> {
    for document in documents::read_text(name, text)? {
        let applied = apply::apply(&document, client).await?;
        line(format!("  {} {}", document.title(), applied.as_str()))?;
    }
    Ok(())
}

fn try_next(client: &Client) -> Result<(), Error> {
    let mut omni = std::env::args().next().unwrap_or_else(|| "omni".into());
    let server = client.url(&[], &[]);
    if server.as_str().trim_end_matches('/') != SERVER_DEFAULT {
        omni = format!("{omni} --server {}", server.as_str().trim_end_matches('/'));
    }
    let trigger = client.url(&["api", "events", "trigger"], &[]);
    heading("Try next, in a second terminal")?;
    for command in [
        format!("{omni} event list"),
        format!("{omni} event tail"),
        format!("{omni} execution list"),
        format!("{omni} automation get demo-main-pushed"),
        format!("{omni} event create --type custom.order.paid --payload '{{\"total\": 42}}'"),
        format!(
            "curl -s {trigger} -H 'content-type: application/json' -d '{{\"eventType\": \
             \"custom.demo.main-pushed\", \"payload\": {{\"repository\": \"a/b\", \"commit\": \
             \"c0ffee\", \"by\": \"you\", \"files\": []}}}}'"
        ),
        format!("{omni} stats"),
    ] {
        line(format!("  {command}"))?;
    }
    line(format!("\n{}", "The server goes on; Ctrl-C drains and ends it.".dimmed()))
}

fn heading(text: &str) -> Result<(), Error> {
    line(format!("\n{}", text.bold().cyan()))
}

/// Asks until there is an answer; a step that does not happen in time fails the demo.
async fn wait_for<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let clock = SystemClock::new();
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        if clock.elapsed() >= STEP_MAX {
            let seconds = STEP_MAX.as_secs();
            return Err(Error::Demo(format!(
                "{what} did not happen within {seconds} s; look at the log of the server \
                 (OMNI_LOG=debug says more)"
            )));
        }
        clock.sleep(PAUSE).await;
    }
}
