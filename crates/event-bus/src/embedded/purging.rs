//! Removing what is beyond the limits, step by step, so that publishers hardly wait.
//!
//! Age is looked at when someone asks, size whenever a stream has outgrown it.

use std::sync::Arc;

use tokio::sync::{
    mpsc::{Sender, WeakSender},
    oneshot,
};

use super::{
    commands::{Command, Purge, ask},
    engine::Engine,
    readers,
};
use crate::{Error, Stream};

/// Most dead letters removed in one commit.
const DEAD_STEP: usize = 32;

/// Removes all that is too old or too much; returns how many messages and dead letters.
pub(super) async fn expired(engine: &Engine, commands: &Sender<Command>) -> Result<u64, Error> {
    let now = engine.clock.now().timestamp_micros();
    let mut purged = 0;
    for stream in Stream::ALL {
        let horizon = now.saturating_sub(micros(engine.limits.of(stream).age));
        let read = move |connection: &_| readers::first_at(connection, stream, horizon);
        let Some(before) = engine.readers.run(read).await? else { continue };
        loop {
            let what = Purge::Stream { stream, before };
            let step = ask(commands, |reply| Command::Purge { what, reply }).await?;
            if step == 0 {
                break;
            }
            purged += step;
        }
    }
    let limit = engine.limits.dead_letters;
    let horizon = now.saturating_sub(micros(limit.age));
    let read = move |connection: &_| readers::dead_beyond(connection, limit, horizon);
    if let Some((first, last)) = engine.readers.run(read).await? {
        for from in (first..=last).step_by(DEAD_STEP) {
            let what = Purge::Dead(from, last.min(from + DEAD_STEP as i64 - 1));
            purged += ask(commands, |reply| Command::Purge { what, reply }).await?;
        }
    }
    Ok(purged)
}

fn micros(age: std::time::Duration) -> i64 {
    i64::try_from(age.as_micros()).unwrap_or(i64::MAX)
}

/// Removes what is beyond the size of its stream, whenever the writer says that there is something.
pub(super) async fn excess(engine: Arc<Engine>, commands: WeakSender<Command>) {
    let work = async {
        loop {
            engine.excess().await;
            for stream in Stream::ALL {
                if engine.limits.of(stream).bytes.is_some() {
                    shrink(stream, &commands).await;
                }
            }
        }
    };
    tokio::select! {
        () = engine.closing.cancelled() => {}
        () = work => {}
    }
}

/// The sender is not kept over a wait: whoever drops the bus waits for the last sender to go. When there is no room the
/// next commit asks again.
async fn shrink(stream: Stream, commands: &WeakSender<Command>) {
    loop {
        let (reply, answer) = oneshot::channel();
        let purge = Command::Purge { what: Purge::Stream { stream, before: 0 }, reply };
        let sent = commands.upgrade().map(|commands| commands.try_send(purge));
        if !matches!(sent, Some(Ok(()))) {
            return;
        }
        if !matches!(answer.await, Ok(Ok(1..))) {
            return;
        }
    }
}
