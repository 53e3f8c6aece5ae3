//! Waiting for a fact, not for a time.

use std::{future::Future, time::Duration};

use omni_clock::{Clock as _, SystemClock};

/// The longest that a test waits for a fact; reached only when the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks at something that cannot wake us, such as another process.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Looks again and again until the fact is there, and answers it.
///
/// # Panics
/// When it is not there within [`PATIENCE`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let clock = SystemClock::new();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock.elapsed() < PATIENCE, "waited {} s in vain: {what}", PATIENCE.as_secs());
        clock.sleep(BETWEEN_LOOKS).await;
    }
}
