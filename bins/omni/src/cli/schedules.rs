//! What can be typed about schedules.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// Create a schedule: events by cron, at equal distances, or once
    Create(Box<SaveSchedule>),
    /// All schedules by name, with their next and last run
    List(Page),
    /// One schedule, with what it does next
    Get {
        /// Name of the schedule
        name: String,
    },
    /// Change what is typed and leave the rest; with -f, replace it
    Update(Box<SaveSchedule>),
    /// Delete a schedule; its events stay
    Delete {
        /// Name of the schedule
        name: String,
    },
    /// Let a schedule fire; what it missed is caught up as it says
    Enable {
        /// Name of the schedule
        name: String,
    },
    /// Keep a schedule from firing
    Disable {
        /// Name of the schedule
        name: String,
    },
    /// Fire now, whatever the clock says
    Trigger {
        /// Name of the schedule
        name: String,
        /// Who triggers it; the event says cli:WHO
        #[arg(long, value_name = "WHO", env = "USER", hide_env = true)]
        by: Option<String>,
    },
    /// Fire for the instants of a time range that have no fire: first with --dry-run, then with --yes
    Backfill(BackfillSchedule),
    /// The next times it fires, in its own zone and in UTC
    Next {
        /// Name of the schedule
        name: String,
        /// How many
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
        count: u8,
    },
    /// What became of its times, newest first
    Fires {
        /// Name of the schedule
        name: String,
        /// Only those that are pending, waiting, fired, skipped, missed, cancelled or failed
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Cancel the fires that wait
    Purge {
        /// Name of the schedule
        name: String,
    },
    /// Tell what a definition means and when it fires, without saving it
    Preview(Box<PreviewSchedule>),
}

#[derive(Args, Debug)]
pub(crate) struct SaveSchedule {
    /// Name, such as daily-report; a part of the type of its events
    #[arg(required_unless_present = "file")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) given: GivenSchedule,
}

#[derive(Args, Debug)]
pub(crate) struct PreviewSchedule {
    #[command(flatten)]
    pub(crate) given: GivenSchedule,
    /// How many times
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) count: u8,
}

/// A definition as it is typed.
#[derive(Args, Debug, Default)]
pub(crate) struct GivenSchedule {
    /// A file with the definition, or a document of kind Schedule; - for standard input
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with_all = WHEN)]
    pub(crate) file: Option<PathBuf>,
    /// Five fields (minute hour day month weekday), or six with seconds first: "0 9 * * 1-5"
    #[arg(long, value_name = "EXPRESSION", group = "when")]
    pub(crate) cron: Option<String>,
    /// The time from one fire to the next: 30s, 15m, 2h, 1d, 1h30m
    #[arg(long, value_name = "DURATION", group = "when")]
    pub(crate) every: Option<String>,
    /// Once, at this time: 2026-12-24T18:00 in the zone, 2026-12-24T18:00:00Z, or +10m from now on
    #[arg(long, value_name = "TIME", group = "when")]
    pub(crate) at: Option<String>,
    /// With --every: by how much every fire is later
    #[arg(long, value_name = "DURATION")]
    pub(crate) phase: Option<String>,
    /// IANA name of the time zone, such as Europe/Berlin; UTC unless set
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// Type of its events; custom.cron.NAME unless set
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// What its events carry: JSON, @FILE, or - for standard input; {{ fire.nominal }} and others are filled in
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub(crate) payload: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// What happens while the work on the fire before goes on; allow-all unless set
    #[arg(long, value_enum)]
    pub(crate) overlap: Option<Overlap>,
    /// What happens to times that nobody was there for; last unless set
    #[arg(long, value_enum)]
    pub(crate) catchup: Option<Catchup>,
    /// Missed times fire if they are not older than this; means --catchup within
    #[arg(long, value_name = "DURATION")]
    pub(crate) catchup_window: Option<String>,
    /// Each fire is later by up to this much, always the same for the same time
    #[arg(long, value_name = "DURATION")]
    pub(crate) jitter: Option<String>,
    /// No fire before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// No fire after this time
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    /// It ends after so many fires
    #[arg(long, value_name = "N")]
    pub(crate) max_fires: Option<u64>,
    /// Save it switched off
    #[arg(long)]
    pub(crate) disabled: bool,
}

/// What says the same as a file does.
const WHEN: [&str; 16] = [
    "cron",
    "every",
    "at",
    "phase",
    "timezone",
    "event_type",
    "payload",
    "description",
    "overlap",
    "catchup",
    "catchup_window",
    "jitter",
    "start",
    "end",
    "max_fires",
    "disabled",
];

/// What happens while the work on the fire before goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Overlap {
    /// It fires all the same
    #[value(alias = "allowAll")]
    AllowAll,
    /// It does not fire
    Skip,
    /// It fires when that work is done; of several that wait, the first
    #[value(alias = "bufferOne")]
    BufferOne,
    /// Each fires when the work on the one before is done
    #[value(alias = "bufferAll")]
    BufferAll,
    /// It fires, and no further action of the one before begins
    #[value(alias = "cancelOther")]
    CancelOther,
}

impl Overlap {
    /// The word of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AllowAll => "allowAll",
            Self::Skip => "skip",
            Self::BufferOne => "bufferOne",
            Self::BufferAll => "bufferAll",
            Self::CancelOther => "cancelOther",
        }
    }
}

/// What happens to times that nobody was there for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Catchup {
    /// None fires
    None,
    /// The last one fires
    Last,
    /// Each fires, up to 1,000
    All,
    /// Each that is younger than --catchup-window fires
    Within,
}

impl Catchup {
    /// The word of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Last => "last",
            Self::All => "all",
            Self::Within => "within",
        }
    }
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("really").required(true).args(["dry_run", "yes"]))]
pub(crate) struct BackfillSchedule {
    /// Name of the schedule
    pub(crate) name: String,
    /// Times after this one: 2026-11-21T00:00:00Z, or -2d before now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: String,
    /// Times up to this one, itself included; now unless set
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// How many at most, the oldest first; all unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max: Option<u64>,
    /// Only tell which times have no fire
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Fire for them
    #[arg(long)]
    pub(crate) yes: bool,
    /// Follow it until all have fired
    #[arg(long, short = 'w', requires = "yes")]
    pub(crate) watch: bool,
}
