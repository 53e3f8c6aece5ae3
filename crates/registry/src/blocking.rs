//! Work that takes long, off the threads that serve requests: the worst schema takes a tenth of a second.
//!
//! It must stay true that a panic in such work ends one request with a fault of ours, and is not taken for a process that
//! stops.

use tokio::task::{JoinError, spawn_blocking};

use crate::Error;

/// Begins work at once on a thread of its own; the future answers what came of it.
///
/// # Errors
/// [`Error::Broken`] when it panics, [`Error::Stopping`] when the process ends before it begins.
pub fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, Error>> + Send {
    let working = spawn_blocking(work);
    async move { working.await.map_err(ended) }
}

fn ended(error: JoinError) -> Error {
    if error.is_panic() { Error::Broken(error) } else { Error::Stopping }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_fault_of_ours_and_no_stop() {
        assert!(matches!(off_thread(|| 7).await, Ok(7)));
        let broken = off_thread(|| -> u8 { panic!("a fault") }).await;
        assert!(matches!(broken, Err(Error::Broken(_))), "{broken:?}");
    }
}
