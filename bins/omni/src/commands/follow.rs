//! Following the server's stream of events over breaks. It must stay true that a break loses nothing and repeats only
//! what was not dealt with.

use std::time::Duration;

use http::HeaderValue;
use omni_clock::{Clock, SystemClock};

use crate::client::Client;
use crate::error::Error;
use crate::messages::Messages;
use crate::output::clean;

/// The first pause after a break, and the longest: a server that restarts is back within seconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// Which events are followed, and how far.
pub(super) struct Follow<'a> {
    query: Vec<(&'a str, &'a str)>,
    /// The last event that was dealt with; before the first, where to begin.
    pub(super) last: Option<i64>,
    /// What is told once the place where it begins is known: whatever comes after that is not missed.
    pub(super) ready: Option<String>,
    /// Whether the server was there.
    was_open: bool,
    /// Whether it was told that the server is gone.
    told: bool,
    pause: Duration,
}

impl<'a> Follow<'a> {
    /// The events that fit the query, from after a sequence or only new ones.
    pub(super) fn new(query: Vec<(&'a str, &'a str)>, after: Option<i64>) -> Self {
        Self { query, last: after, ready: None, was_open: false, told: false, pause: PAUSE.0 }
    }

    /// Hands the document of each event on, in order and one after the other, until something happens that does not pass
    /// by itself. What `each` fails with because the server is gone counts as a break: the event comes again.
    pub(super) async fn run(
        &mut self,
        client: &Client,
        mut each: impl AsyncFnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let clock = SystemClock::new();
        loop {
            match self.read(client, &mut each).await {
                Ok(()) => {}
                // Only what may pass is waited for, and only when the server was there before.
                Err(error) if self.was_open && is_passing(&error) => {
                    if !std::mem::replace(&mut self.told, true) {
                        anstream::eprintln!("the connection to the server broke; trying again");
                    }
                }
                Err(error) => return Err(error),
            }
            clock.sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSE.1);
        }
    }

    /// Hands on what comes until the stream ends.
    async fn read(
        &mut self,
        client: &Client,
        each: &mut impl AsyncFnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let last = self.last.map(HeaderValue::from);
        let mut stream = client.stream(&["api", "events", "stream"], &self.query, last).await?;
        self.was_open = true;
        if std::mem::take(&mut self.told) {
            anstream::eprintln!("the server is there again");
        }
        let mut messages = Messages::default();
        while let Some(message) = messages.read(&mut stream).await? {
            if message.event == "problem" {
                anstream::eprintln!("{}", clean(&message.data));
                return Ok(());
            }
            if !message.data.is_empty() {
                each(&message.data).await?;
            }
            self.pause = PAUSE.0;
            // Only what was dealt with is not asked for again.
            self.last = message.id.or(self.last);
            if let Some(text) = self.ready.take_if(|_| self.last.is_some()) {
                anstream::eprintln!("{text}");
            }
        }
        Ok(())
    }
}

/// Whether it is over when the server is back.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } => true,
        Error::Problem(problem) => problem.status.is_server_error(),
        _ => false,
    }
}
