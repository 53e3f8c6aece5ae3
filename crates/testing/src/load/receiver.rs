//! Where the webhook actions of the server arrive: answers 200 to everything and keeps who came
//! when.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::load::error::Error;
use crate::load::http::Connection;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One request of an action.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) event_id: String,
    /// The `Idempotency-Key`, by which a receiver knows a repeat.
    pub(crate) key: String,
    /// When its whole request was here.
    pub(crate) at: Instant,
}

/// A listening receiver; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    effects: Arc<Mutex<Vec<Effect>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let effects = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, Arc::clone(&effects)));
        Ok(Self { addr, effects, task })
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the first request after a moment came.
    pub(crate) fn first_after(&self, moment: Instant) -> Option<Instant> {
        let effects = self.effects.lock().unwrap_or_else(PoisonError::into_inner);
        effects.iter().rev().map(|effect| effect.at).take_while(|at| *at > moment).last()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, effects: Arc<Mutex<Vec<Effect>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let effects = Arc::clone(&effects);
        tokio::spawn(async move {
            // A connection that a killed server leaves behind ends in an error, which is no news.
            let _ = serve(Connection::over(stream), &effects).await;
        });
    }
}

async fn serve(mut connection: Connection, effects: &Mutex<Vec<Effect>>) -> Result<(), Error> {
    while let Some(request) = connection.read().await? {
        let header = |name| request.header(name).unwrap_or_default().to_owned();
        let effect = Effect {
            event_id: header("x-omni-event-id"),
            key: header("idempotency-key"),
            at: Instant::now(),
        };
        // Kept before it is answered: what the server may believe done is counted.
        effects.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
        connection.write(ANSWER).await?;
    }
    Ok(())
}
