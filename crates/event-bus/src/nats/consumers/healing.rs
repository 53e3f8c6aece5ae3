//! What to do when one of the server's consumers is not what it was.
//!
//! It must stay true that a consumer whose stream was lost begins with the first message of the new one, that one which
//! somebody removed is not made again, and that whoever takes over an ordered consumer gets its messages in order.

use std::time::Duration;

use super::{
    super::session::Session,
    durable::Durable,
    lease::{Claimed, step_down},
    pulling::AGAIN,
    reader::Reader,
    server::{self, Begin, Info, Missing},
    state::Standing,
};
use crate::Error;

/// How long a consumer may be missing while somebody moves it.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked for meanwhile.
const GLANCE: Duration = Duration::from_millis(100);

/// A consumer of the server as it stands.
pub(super) fn standing(info: &Info, made: String) -> Standing {
    Standing {
        created: info.created.clone(),
        made,
        rewound_to: info.rewound_to(),
        first: info.first(),
        pending: info.num_pending,
        buffered: 0,
    }
}

/// Looks at one of the server's consumers, and makes it again where that is right.
pub(super) async fn look(reader: &mut Reader, session: &Session, durable: &Durable, at: usize) {
    if let Err(error) = try_look(reader, session, durable, at).await {
        tracing::debug!(consumer = durable.config.name, %error, "the server could not be asked");
        reader.lines[at].try_at = session.clock.elapsed() + AGAIN;
    }
}

async fn try_look(
    reader: &mut Reader,
    session: &Session,
    durable: &Durable,
    at: usize,
) -> Result<(), Error> {
    let source = reader.sources[at].clone();
    let known = durable.state().sources[at].clone();
    let info = match server::info(session, &source.target).await? {
        Ok(info) => info,
        Err(missing) => {
            let Some(info) = find(reader, session, durable, (at, missing)).await? else {
                return Ok(());
            };
            info
        }
    };
    let line = &mut reader.lines[at];
    line.reset();
    (line.unsure, line.missing_since) = (false, None);
    if info.created == known.created {
        durable.state().sources[at].pending = info.num_pending;
        return Ok(());
    }
    let made = server::made(session, &source.target.stream).await?.unwrap_or_default();
    adopt(reader, session, durable, (at, standing(&info, made)));
    Ok(())
}

/// Goes on with another consumer of the same name.
fn adopt(reader: &mut Reader, session: &Session, durable: &Durable, (at, new): (usize, Standing)) {
    // What the old one delivered cannot be told from what the new one does.
    reader.deafen(session);
    {
        let mut state = durable.state();
        if state.sources[at].made == new.made {
            state.forget_source(at);
        } else {
            state.lose_source(at);
        }
        state.sources[at] = new;
    }
    if durable.lease.is_some() {
        // All of its streams are taken up in order again.
        step_down(durable);
    } else {
        durable.begin_epoch();
    }
}

/// Finds out why a consumer is missing. `None` when that is not known yet, or it is gone for good.
async fn find(
    reader: &mut Reader,
    session: &Session,
    durable: &Durable,
    (at, missing): (usize, Missing),
) -> Result<Option<Info>, Error> {
    let source = reader.sources[at].clone();
    let target = &source.target;
    let seen = session.healed();
    if missing == Missing::Stream {
        session.heal(seen).await?;
    }
    let made = server::made(session, &target.stream).await?;
    let known = durable.state().sources[at].made.clone();
    if made.as_ref().is_some_and(|made| *made != known) {
        tracing::warn!(
            consumer = durable.config.name,
            stream = target.stream,
            "the stream was lost and made again: the consumer begins with its first message"
        );
        let settings = source.settings.clone();
        return server::create(session, target, settings, Begin::All).await.map(Some);
    }
    let now = session.clock.elapsed();
    let since = *reader.lines[at].missing_since.get_or_insert(now);
    if now < since + GRACE {
        reader.lines[at].try_at = now + GLANCE;
        return Ok(None);
    }
    let finished = server::finish(session, target).await?;
    if finished.is_none() {
        tracing::info!(
            consumer = durable.config.name,
            stream = target.stream,
            "the consumer was removed"
        );
        durable.forgotten.cancel();
    }
    Ok(finished)
}

/// Becomes the active process of an ordered consumer, if no other one is.
///
/// What was handed out and not settled is delivered again before anything else, in its order.
pub(super) async fn take_over(reader: &mut Reader, session: &Session, durable: &Durable) -> bool {
    match try_take_over(reader, session, durable).await {
        Ok(taken) => taken,
        Err(error) => {
            tracing::debug!(consumer = durable.config.name, %error, "could not take over");
            false
        }
    }
}

async fn try_take_over(
    reader: &mut Reader,
    session: &Session,
    durable: &Durable,
) -> Result<bool, Error> {
    let Some(lease) = &durable.lease else { return Ok(true) };
    let until = match lease.claim(session).await? {
        // Nobody else had it, and nothing was forgotten here: it was only not said in time.
        Claimed::Still(until) if durable.state().is_taken_over() => {
            durable.state().activate(until);
            return Ok(true);
        }
        Claimed::Still(until) | Claimed::Anew(until) => until,
        Claimed::No => {
            if durable.state().is_taken_over() {
                step_down(durable);
            }
            return Ok(false);
        }
    };
    reader.deafen(session);
    durable.state().forget_all();
    for at in 0..reader.sources.len() {
        let source = reader.sources[at].clone();
        let Ok(info) = server::info(session, &source.target).await? else {
            reader.lines[at].unsure = true;
            look(reader, session, durable, at).await;
            return Ok(false);
        };
        let made = server::made(session, &source.target.stream).await?.unwrap_or_default();
        let info = if info.is_open() {
            server::rewind(session, &source.target, &info, source.settings.clone()).await?
        } else {
            info
        };
        durable.state().sources[at] = standing(&info, made);
        (reader.lines[at].unsure, reader.lines[at].missing_since) = (false, None);
    }
    durable.state().take_over(until);
    durable.begin_epoch();
    Ok(true)
}
