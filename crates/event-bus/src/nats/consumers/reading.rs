//! Reading a stretch of a stream without being a consumer.

use async_nats::jetstream::consumer::DeliverPolicy;

use super::{
    super::session::Session,
    arrival::{self, Found},
    fetch,
    selection::{Place, Selection},
    server,
};
use crate::{Error, Page, Pulled, Read, ReadFrom};

/// Reads a page: at least one message that is wanted, unless the end comes before it.
pub(super) async fn read(session: &Session, read: &Read) -> Result<Page, Error> {
    let end = Page { messages: Vec::new(), next: None, remaining: 0 };
    if read.max == 0 {
        return Ok(end);
    }
    session.reachable()?;
    let stream = session.names.stream(read.stream);
    let Some(made) = server::made(session, stream).await? else { return Ok(end) };
    let filters = filters(session, read);
    if filters.is_empty() {
        return Ok(end);
    }
    let mut start = match read.from {
        ReadFrom::Sequence(sequence) => from(sequence),
        ReadFrom::Time(time) => DeliverPolicy::ByStartTime { start_time: time },
    };
    // Where the server lets through more than is wanted there may be pages with nothing in them.
    loop {
        let kept = fetch::read(session, stream, start, &filters, read.max).await?;
        let Some(last) = kept.last() else { return Ok(end) };
        let (remaining, next) = (last.pending, last.sequence + 1);
        let messages: Vec<_> = kept
            .into_iter()
            .filter_map(|kept| {
                let found = Found { stream: read.stream, sequence: kept.sequence, made: &made };
                let content = (kept.headers.as_ref(), kept.payload);
                let message = arrival::message(&session.names, found, &kept.subject, content)?;
                let wanted = read.filters.iter().any(|filter| filter.matches(&message.subject));
                wanted.then_some(Pulled {
                    message,
                    stream: read.stream,
                    sequence: kept.sequence,
                    published_at: kept.published_at,
                    attempt: 1,
                })
            })
            .collect();
        if !messages.is_empty() || remaining == 0 {
            let next = (remaining > 0).then_some(next);
            return Ok(Page { messages, next, remaining });
        }
        start = from(next);
    }
}

fn from(sequence: u64) -> DeliverPolicy {
    DeliverPolicy::ByStartSequence { start_sequence: sequence.max(1) }
}

/// Filters for the server: one subject, or several on a server that takes them.
///
/// One that covers all subjects of the stream stands for what cannot be said more narrowly.
fn filters(session: &Session, read: &Read) -> Vec<String> {
    let several = session.server.several_filters;
    let halves = [false, true].map(|routed| {
        let place = Place { stream: read.stream, routed };
        Selection::new(&session.names, place, &read.filters, several)
    });
    let all: Vec<_> = halves.into_iter().flat_map(|half| half.filters).collect();
    if all.len() > 1 && !several { vec![session.names.plain(">")] } else { all }
}
