//! What the writer can be asked for, and what one commit is made of.

use tokio::sync::{mpsc::Sender, oneshot};

use crate::{Addressed, Error, Receipt, Stream};

/// Most bytes of messages in one commit; it bounds how long a publisher that just missed it waits.
const GROUP_SIZE_MAX: usize = 8 << 20;

/// Where the answer to a command goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Asks the writer, and waits for its answer.
pub(super) async fn ask<T>(
    commands: &Sender<Command>,
    command: impl FnOnce(Reply<T>) -> Command,
) -> Result<T, Error> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.map_err(|_| Error::Closed)?;
    answer.await.map_err(|_| Error::Closed)?
}

/// What the writer can be asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Put messages into their streams.
    Publish { messages: Vec<Addressed>, reply: Reply<Vec<Receipt>> },
    /// Store what consumers have settled, and sync if that is due. With a reply it is waited for.
    Flush { reply: Option<Reply<()>> },
    /// Remove some of the oldest messages.
    Purge { what: Purge, reply: Reply<u64> },
    /// Remove a consumer.
    Forget { consumer: String, reply: Reply<()> },
    /// A checkpoint in the background has ended.
    Checkpointed(rusqlite::Result<()>),
    /// Commit, checkpoint and end.
    Close { reply: Reply<()> },
}

/// What retention removes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purge {
    /// Messages before a sequence, and those beyond the size of the stream.
    Stream { stream: Stream, before: u64 },
    /// Dead letters with numbers from the first to the second.
    Dead(i64, i64),
}

/// What one commit is about.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) size: usize,
    pub(super) publishes: Vec<(Vec<Addressed>, Reply<Vec<Receipt>>)>,
    pub(super) flushes: Vec<Reply<()>>,
    pub(super) purges: Vec<(Purge, Reply<u64>)>,
    pub(super) forgets: Vec<(String, Reply<()>)>,
    pub(super) checkpointed: Option<rusqlite::Result<()>>,
    pub(super) close: Option<Reply<()>>,
}

impl Group {
    pub(super) fn add(&mut self, command: Command) {
        match command {
            Command::Publish { messages, reply } => {
                self.size += messages.iter().map(|to| to.message.data.len()).sum::<usize>();
                self.publishes.push((messages, reply));
            }
            Command::Flush { reply } => self.flushes.extend(reply),
            Command::Purge { what, reply } => self.purges.push((what, reply)),
            Command::Forget { consumer, reply } => self.forgets.push((consumer, reply)),
            Command::Checkpointed(outcome) => self.checkpointed = Some(outcome),
            Command::Close { reply } => self.close = Some(reply),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.size >= GROUP_SIZE_MAX || self.close.is_some()
    }

    pub(super) fn writes(&self) -> bool {
        !(self.publishes.is_empty() && self.purges.is_empty() && self.forgets.is_empty())
    }

    /// Tells everyone what the commit did. A caller that has gone away does not want to know.
    pub(super) fn answer(self, answers: Answers) {
        for ((_, reply), receipts) in self.publishes.into_iter().zip(answers.receipts) {
            let _ = reply.send(Ok(receipts));
        }
        for ((_, reply), purged) in self.purges.into_iter().zip(answers.purged) {
            let _ = reply.send(Ok(purged));
        }
        let forgotten = self.forgets.into_iter().map(|(_, reply)| reply);
        for reply in self.flushes.into_iter().chain(forgotten) {
            let _ = reply.send(Ok(()));
        }
    }

    /// Tells everyone that nothing was done.
    pub(super) fn refuse(self, error: &Error) {
        for (_, reply) in self.publishes {
            let _ = reply.send(Err(error.clone()));
        }
        for (_, reply) in self.purges {
            let _ = reply.send(Err(error.clone()));
        }
        let forgotten = self.forgets.into_iter().map(|(_, reply)| reply);
        for reply in self.flushes.into_iter().chain(forgotten) {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

/// What a commit has to tell, in the order of the group.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) receipts: Vec<Vec<Receipt>>,
    /// How many were removed.
    pub(super) purged: Vec<u64>,
}
