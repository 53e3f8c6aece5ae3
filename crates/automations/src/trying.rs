//! One action: filled in, tried, tried again after pauses, for a bounded time.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use omni_actions::{Call, Error};
use serde_json::Value;

use crate::{
    ActionResult, ActionStatus, compiled::CompiledAction, handling::message_of, plan::Runner,
};

/// How long the pauses of one event may be in all. It waits in memory and takes a place that others need; what must wait
/// longer needs a retry that survives a restart.
const PAUSES_MAX: Duration = Duration::from_mins(1);
/// When an event has been worked on for so long, what fails is not tried again.
const RETRIES_UNTIL: Duration = Duration::from_mins(10);
/// Pauses between looks whether an outage is over.
const OUTAGE_PAUSE: Duration = Duration::from_millis(50);
const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest error that is kept, in bytes: remote parties write as much as they like.
const ERROR_LEN_MAX: usize = 4096;

/// How long one event may still be retried.
#[derive(Debug)]
pub(crate) struct Patience {
    pauses_left: Duration,
    until: Duration,
}

impl Patience {
    pub(crate) fn new(now: Duration) -> Self {
        Self { pauses_left: PAUSES_MAX, until: now.saturating_add(RETRIES_UNTIL) }
    }

    /// Takes a pause out of what is left.
    fn spend(&mut self, pause: Duration, now: Duration) -> Result<(), String> {
        let left = self.pauses_left.checked_sub(pause).ok_or_else(|| {
            format!(
                "not tried again: the next try is due in {} s, and one event waits {} s for retries in all",
                pause.as_secs(),
                PAUSES_MAX.as_secs()
            )
        })?;
        if now.saturating_add(pause) > self.until {
            return Err(format!(
                "not tried again: the automations of one event are retried for {} s at most",
                RETRIES_UNTIL.as_secs()
            ));
        }
        self.pauses_left = left;
        Ok(())
    }
}

impl Runner {
    /// Fills the config in and tries the action as often as its policy allows.
    pub(crate) async fn act(
        &self,
        call: &Call<'_>,
        action: &CompiledAction,
        scope: &Value,
        patience: &mut Patience,
    ) -> ActionResult {
        let began = self.clock.elapsed();
        let mut attempts = 0;
        let outcome = match action.config.render(scope) {
            Err(error) => Err((format!("config{}: {error}", error.pointer), Value::Null)),
            Ok(config) => loop {
                attempts += 1;
                let error = match self.tried(call, action, &config).await {
                    Ok(result) => break Ok(result),
                    Err(error) => error,
                };
                let Error { message, result, .. } = &error;
                let failed = |message: String| Err((message, result.clone().unwrap_or_default()));
                let Some(pause) = self.pause(action, attempts, &error) else {
                    break failed(message.clone());
                };
                if let Err(why) = patience.spend(pause, self.clock.elapsed()) {
                    break failed(format!("{message}; {why}"));
                }
                self.clock.sleep(pause).await;
            },
        };
        let took = self.clock.elapsed().saturating_sub(began);
        let (status, result, error) = match outcome {
            Ok(result) => (ActionStatus::Success, result, None),
            Err((error, result)) => (ActionStatus::Failed, result, Some(clip(&error))),
        };
        let action = action.kind.clone();
        let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        ActionResult { action, status, result, error, attempts, duration_ms }
    }

    /// One try that says something about the action. While the installation itself is away nothing is tried, so an outage
    /// of our own store ends no execution: the event waits for it, as long as the process lives.
    async fn tried(
        &self,
        call: &Call<'_>,
        action: &CompiledAction,
        config: &Value,
    ) -> Result<Value, Error> {
        let mut outages = 0u32;
        loop {
            match self.attempt(call, action, config.clone()).await {
                Err(error) if error.is_outage => {
                    tracing::warn!(action = action.kind, event = %call.event.id, error = %error, "an action waits for an outage to end");
                }
                done => return done,
            }
            let pause = OUTAGE_PAUSE.saturating_mul(1 << outages.min(7)).min(OUTAGE_PAUSE_MAX);
            self.clock.sleep(pause).await;
            outages += 1;
        }
    }

    /// One try. A panic is a fault of the action and must not take the other actions of the event with it.
    async fn attempt(
        &self,
        call: &Call<'_>,
        action: &CompiledAction,
        config: Value,
    ) -> Result<Value, Error> {
        let run = AssertUnwindSafe(async { action.action.run(call, config).await }).catch_unwind();
        tokio::select! {
            biased;
            ended = run => ended.unwrap_or_else(|panic| {
                let text = message_of(&*panic);
                tracing::error!(action = action.kind, event = %call.event.id, text, "an action panicked");
                Err(Error::permanent(format!("the action panicked, which is a fault in it: {text}")))
            }),
            () = self.clock.sleep(action.timeout) => {
                let message = format!("no result within {} ms", action.timeout.as_millis());
                Err(Error::transient(message))
            }
        }
    }

    fn pause(&self, action: &CompiledAction, attempts: u32, error: &Error) -> Option<Duration> {
        if !error.retryable {
            return None;
        }
        let planned = action.retry.as_ref()?.delay_after(attempts, self.random.fraction())?;
        Some(planned.max(error.retry_after.unwrap_or_default()))
    }
}

/// Text that every column and reader takes.
pub(crate) fn clip(text: &str) -> String {
    text[..text.floor_char_boundary(ERROR_LEN_MAX)].replace('\0', "\u{fffd}")
}
