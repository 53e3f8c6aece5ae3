//! `omni dead-letter`: what can be typed.

use clap::{Args, Subcommand};

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetter {
    /// What was given up, the newest first
    List(ListDeadLetters),
    /// One dead letter with its event and the errors of every try
    Get {
        /// Id of the dead letter
        id: String,
    },
    /// Try a dead letter again, or with --all every one that waits
    Retry(RetryDeadLetters),
    /// Say that a dead letter is done with
    Resolve {
        /// Id of the dead letter
        id: String,
        /// Why, for those who look later
        #[arg(long)]
        note: Option<String>,
    },
    /// Say that nobody will try a dead letter again
    Abandon {
        /// Id of the dead letter
        id: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ListDeadLetters {
    /// Only those with this status: pending, retrying, resolved or abandoned
    #[arg(long)]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) filter: DeadLetterFilter,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[derive(Args, Debug)]
pub(crate) struct RetryDeadLetters {
    /// Id of the dead letter
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) id: Option<String>,
    /// Every one that waits, or those that the options select
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: DeadLetterFilter,
}

/// Which dead letters.
#[derive(Args, Debug)]
pub(crate) struct DeadLetterFilter {
    /// Only about events of types that match, such as message.* or custom.webhook.github.>
    #[arg(long = "type", value_name = "PATTERN")]
    pub(crate) types: Option<String>,
    /// Only those that this consumer gave up
    #[arg(long)]
    pub(crate) consumer: Option<String>,
    /// Only those of this automation (id)
    #[arg(long, value_name = "ID")]
    pub(crate) automation: Option<String>,
    /// Only those about this event
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Only those given up at or after this time, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only those given up before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

impl DeadLetterFilter {
    /// The names that the server has for them.
    pub(crate) fn named(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("type", &self.types),
            ("consumer", &self.consumer),
            ("automationId", &self.automation),
            ("eventId", &self.event),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    /// Whether one is given.
    pub(crate) fn is_given(&self) -> bool {
        self.named().iter().any(|(_, value)| value.is_some())
    }
}
