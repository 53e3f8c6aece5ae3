//! What was asked of the server and what came, counted and timed.

use std::{collections::VecDeque, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use omni_clock::Clock;
use tokio::sync::mpsc;

/// Most messages that are taken in at once.
const MOST: usize = 256;

/// What is on its way from one of the server's consumers.
#[derive(Debug, Default)]
pub(in super::super) struct Line {
    /// How many messages were asked for and have not come.
    pub(super) outstanding: usize,
    /// The questions that are not answered in full, as if they were answered one after the other.
    pub(super) asked: VecDeque<Asked>,
    /// When it was last heard.
    pub(super) heard: Duration,
    /// Whether it must be looked at before it is asked again.
    pub(in super::super) unsure: bool,
    /// Not to be asked before.
    pub(in super::super) try_at: Duration,
    /// Since when it is missing.
    pub(in super::super) missing_since: Option<Duration>,
}

impl Line {
    /// Nothing is on its way any more.
    pub(in super::super) fn reset(&mut self) {
        self.outstanding = 0;
        self.asked.clear();
    }

    /// Takes note of a message.
    pub(super) fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.outstanding = self.outstanding.saturating_sub(1);
        if let Some(first) = self.asked.front_mut() {
            first.left = first.left.saturating_sub(1);
            if first.left == 0 {
                self.asked.pop_front();
            }
        }
    }
}

/// A question for messages that is on its way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) left: usize,
}

/// Messages, and when they came.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) messages: Vec<Message>,
    pub(super) at: Duration,
}

/// Says of messages when they came, also while no member takes them in.
pub(super) async fn stamp(
    mut subscription: Subscriber,
    sender: mpsc::UnboundedSender<Arrivals>,
    clock: Arc<dyn Clock>,
) {
    loop {
        let messages = tokio::select! {
            messages = several(&mut subscription) => messages,
            () = sender.closed() => return,
        };
        let at = clock.elapsed();
        if messages.is_empty() || sender.send(Arrivals { messages, at }).is_err() {
            return;
        }
    }
}

/// The messages that are there, at least one; none when the subscription has ended.
async fn several(subscription: &mut Subscriber) -> Vec<Message> {
    poll_fn(|context| {
        let mut messages = Vec::new();
        while messages.len() < MOST {
            match subscription.poll_next_unpin(context) {
                Poll::Ready(Some(message)) => messages.push(message),
                Poll::Ready(None) => return Poll::Ready(messages),
                Poll::Pending if messages.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(messages)
    })
    .await
}
