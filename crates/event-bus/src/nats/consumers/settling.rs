//! Tells the server what became of messages, beside those who say so: they never wait for the network.
//!
//! It must stay true that what went wrong is written down before a message is given back, and a dead letter kept before
//! its message is acknowledged.

use std::{sync::Arc, time::Duration};

use async_nats::{Subject, jetstream::AckKind};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    super::session::Session,
    dead_letters,
    records::{self, Record},
    state::Action,
};

/// How many messages are given back or given up at once.
const SLOW_MAX: usize = 256;

/// How long it goes on after the bus was closed.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What is to be told the server.
#[derive(Debug)]
enum Job {
    /// What became of messages.
    Settle(Vec<Action>),
    /// Answers to deliveries.
    Tell { replies: Vec<Subject>, kind: AckKind },
    /// Say when everything before this is done.
    Flush(oneshot::Sender<()>),
}

/// Takes what is to be told. It ends when this is dropped, after what it was given.
#[derive(Clone, Debug)]
pub(super) struct Settler(mpsc::UnboundedSender<Job>);

impl Settler {
    /// Begins to tell the server.
    pub(super) fn start(session: Arc<Session>) -> Self {
        let (sender, jobs) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let closing = session.closing.clone();
            let clock = Arc::clone(&session.clock);
            let ended = async {
                closing.cancelled().await;
                clock.sleep(LAST_WORDS).await;
            };
            // Without a server it would never end.
            tokio::select! {
                () = work(session, jobs) => {}
                () = ended => {}
            }
        });
        Self(sender)
    }

    /// What became of messages.
    pub(super) fn settle(&self, actions: Vec<Action>) {
        if !actions.is_empty() {
            // It ends only with the bus.
            let _ = self.0.send(Job::Settle(actions));
        }
    }

    /// The same answer to several deliveries.
    pub(super) fn tell(&self, replies: Vec<Subject>, kind: AckKind) {
        if !replies.is_empty() {
            let _ = self.0.send(Job::Tell { replies, kind });
        }
    }

    /// Waits until everything that was said before is done, or that long.
    pub(super) async fn flush(&self, session: &Session, patience: Duration) {
        let (done, wait) = oneshot::channel();
        let _ = self.0.send(Job::Flush(done));
        tokio::select! {
            _ = wait => {}
            () = session.clock.sleep(patience) => {
                tracing::warn!("the server was not told everything in time: some messages will come again");
            }
        }
    }
}

async fn work(session: Arc<Session>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut slow = JoinSet::new();
    while let Some(job) = jobs.recv().await {
        while slow.try_join_next().is_some() {}
        match job {
            Job::Settle(actions) => {
                for action in actions {
                    if let Some(action) = quick(&session, action).await {
                        while slow.len() >= SLOW_MAX {
                            slow.join_next().await;
                        }
                        let session = Arc::clone(&session);
                        slow.spawn(async move { thorough(&session, action).await });
                    }
                }
            }
            Job::Tell { replies, kind } => {
                for reply in replies {
                    answer(&session, reply, kind).await;
                }
            }
            Job::Flush(done) => {
                while slow.join_next().await.is_some() {}
                let _ = session.client.flush().await;
                let _ = done.send(());
            }
        }
    }
    while slow.join_next().await.is_some() {}
}

/// Does what needs no answer; gives back what does.
async fn quick(session: &Session, action: Action) -> Option<Action> {
    match action {
        Action::Ack { reply, recorded } => {
            answer(session, reply, AckKind::Ack).await;
            forget(session, recorded).await;
            None
        }
        Action::Progress { reply } => {
            answer(session, reply, AckKind::Progress).await;
            None
        }
        other => Some(other),
    }
}

async fn thorough(session: &Session, action: Action) {
    match action {
        Action::Again { reply, key, record, delay, before } => {
            write_down(session, &key, &record).await;
            // Later than that the answer could be taken for that of somebody who got it next.
            if session.clock.elapsed() < before {
                answer(session, reply, AckKind::Nak(Some(delay))).await;
            }
        }
        Action::Bury { reply, letter, made, recorded } => {
            if let Err(error) = dead_letters::keep(session, &letter, &made).await {
                tracing::error!(
                    consumer = letter.consumer,
                    stream = %letter.stream,
                    sequence = letter.sequence,
                    error = &error as &dyn std::error::Error,
                    "a dead letter could not be kept: its message will come again"
                );
                return;
            }
            answer(session, reply, AckKind::Ack).await;
            forget(session, recorded).await;
        }
        Action::Ack { .. } | Action::Progress { .. } => {}
    }
}

async fn write_down(session: &Session, key: &str, record: &Record) {
    let seen = session.healed();
    if let Err(error) = records::write(session, key, record).await {
        // The bucket may be gone. If it is something else, the message comes again with less of a story.
        tracing::debug!(key, %error, "what went wrong could not be written down");
        if session.heal(seen).await.is_ok() {
            let _ = records::write(session, key, record).await;
        }
    }
}

async fn forget(session: &Session, recorded: Option<String>) {
    if let Some(key) = recorded {
        records::let_go(session, &key).await;
    }
}

/// Answers a delivery. What is lost with the connection brings the message back.
async fn answer(session: &Session, reply: Subject, kind: AckKind) {
    let _ = session.client.publish(reply, Bytes::from(kind)).await;
}
