//! Logs: one line per happening on standard error, text for a terminal, JSON for a machine.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::Error;

/// Starts logging for the process; call it once, from `main`.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(filter: &str) -> Result<(), Error> {
    let filter = EnvFilter::try_new(filter).map_err(|error| Error::Config {
        origin: "OMNI_LOG".to_owned(),
        reason: format!("`{filter}` is no filter: {error}"),
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (two servers in one process) keeps the first logger.
    if std::io::stderr().is_terminal() {
        let _ = builder.compact().try_init();
    } else {
        let _ = builder.json().flatten_event(true).with_current_span(false).try_init();
    }
    Ok(())
}
