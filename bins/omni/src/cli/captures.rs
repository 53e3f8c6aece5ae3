//! What can be typed about raw payloads.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Capture {
    /// Say what is captured of which events
    #[command(subcommand)]
    Policy(CapturePolicy),
    /// Delete what has expired now; the server does so by itself every minute
    Expire(ExpireCaptures),
    /// Delete what was captured with an event; the event and its payload stay
    Delete(DeleteCaptures),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CapturePolicy {
    /// All policies by event type
    List,
    /// Set the policy of a type or pattern, in the place of the one it had
    Set(SetCapturePolicy),
    /// Delete the policy of a type or pattern
    Delete {
        /// Type or pattern, such as custom.webhook.github.>
        event_type: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct SetCapturePolicy {
    /// Type or pattern, such as custom.webhook.github.>; the most specific one decides
    pub(crate) event_type: String,
    /// Capture this stage only; may repeat [default: all stages]
    #[arg(long = "stage", value_name = "STAGE", conflicts_with = "off")]
    pub(crate) stages: Vec<String>,
    /// Days until the bytes are deleted [default: as the server is configured]
    #[arg(long, value_name = "DAYS")]
    pub(crate) retention_days: Option<u32>,
    /// Keep the bytes for ever
    #[arg(long, conflicts_with = "retention_days")]
    pub(crate) forever: bool,
    /// Keep no more than the first bytes of a body
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
    /// Capture nothing
    #[arg(long)]
    pub(crate) off: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExpireCaptures {
    /// Only tell what would be deleted
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What will have expired at this time, such as 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", requires = "dry_run")]
    pub(crate) at: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DeleteCaptures {
    /// Id of the event
    pub(crate) event: String,
    /// Why; it is kept and shown
    #[arg(long)]
    pub(crate) reason: String,
    /// Only this stage
    #[arg(long)]
    pub(crate) stage: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ExpungeEvent {
    /// Id of the event
    pub(crate) id: String,
    /// Why; it is kept and shown
    #[arg(long)]
    pub(crate) reason: String,
}
