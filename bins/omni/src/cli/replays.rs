//! Bringing events back.

use clap::{Args, Subcommand};

use super::{EventFilter, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Replay {
    /// Bring events back; without --run it only tells what would come back
    Start(Box<StartReplay>),
    /// How far a replay is
    Status {
        /// Id of the replay
        id: String,
        /// Follow it until it ends
        #[arg(long, short = 'w')]
        watch: bool,
    },
    /// Stop a replay; what it has brought back stays
    Cancel {
        /// Id of the replay
        id: String,
    },
    /// The newest replays first
    List(Page),
}

#[derive(Args, Debug)]
pub(crate) struct StartReplay {
    /// Only these events, and no other filter; may repeat
    #[arg(long = "event", value_name = "ID", conflicts_with_all = [
        "types", "from", "to", "source", "channel", "instance", "identity", "correlation", "provider_id", "status",
        "direction",
    ])]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: EventFilter,
    /// Only this automation sees them (name or id); otherwise all do
    #[arg(long, value_name = "NAME")]
    pub(crate) automation: Option<String>,
    /// Do again what succeeded before
    #[arg(long)]
    pub(crate) repeat_effects: bool,
    /// Events per second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Really bring them back
    #[arg(long)]
    pub(crate) run: bool,
}
