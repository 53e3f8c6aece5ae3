//! What can be typed. Parsing only: nothing here does anything.

mod automations;
mod captures;
mod dead_letters;
mod events;
mod listen;
mod replays;
mod schedules;
mod schemas;
mod sources;
mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::automations::{Automation, LintAutomations, TestAutomation};
pub(crate) use self::captures::{
    Capture, CapturePolicy, DeleteCaptures, ExpireCaptures, ExpungeEvent, SetCapturePolicy,
};
pub(crate) use self::dead_letters::{
    DeadLetter, DeadLetterFilter, ListDeadLetters, RetryDeadLetters,
};
pub(crate) use self::events::{EventFilter, ExplainEvent, ListEvents, TailEvents};
pub(crate) use self::listen::Listen;
pub(crate) use self::replays::{Replay, StartReplay};
pub(crate) use self::schedules::{
    BackfillSchedule, GivenSchedule, PreviewSchedule, SaveSchedule, Schedule,
};
pub(crate) use self::schemas::{
    CheckSchema, ExportSchemas, GetSchema, INHERIT, ImportSchemas, InferSchema, RegisterSchema,
    Schema, TypeOptions, mode,
};
pub(crate) use self::sources::{
    Quarantine, ReleaseQuarantined, RotateSecret, SaveSource, Source, TestSource,
};
pub(crate) use self::traces::Doctor;

/// Omni: events in, automations matched, actions out.
#[derive(Debug, Parser)]
#[command(name = "omni", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused by the server.";

/// Where `omni up` listens when nothing else is said.
pub(crate) const SERVER_DEFAULT: &str = "http://127.0.0.1:7400";

/// Options of every command.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Server to talk to
    #[arg(long, global = true, env = "OMNI_SERVER", default_value = SERVER_DEFAULT)]
    pub(crate) server: String,
    /// Organisation to act for
    #[arg(long, global = true, env = "OMNI_ORG", default_value = "default")]
    pub(crate) org: String,
    /// How results are printed; json is the server's answer as it came
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For files
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server with every role; SIGTERM or Ctrl-C drains and ends it
    Up(Up),
    /// Create or update what documents describe (kind, name, spec; YAML or JSON)
    Apply(Apply),
    /// Create, read and follow events
    #[command(subcommand)]
    Event(Event),
    /// Event types: register, check what a change breaks and for whom, compare versions
    #[command(subcommand)]
    Schema(Box<Schema>),
    /// Read and switch automations, try them out, look them over
    #[command(subcommand)]
    Automation(Automation),
    /// Sources: make them, try them out, see and release what they refused
    #[command(subcommand)]
    Source(Box<Source>),
    /// Send what comes in at a source on to a server of yours, as it came
    Listen(Listen),
    /// Schedules: events by the clock
    #[command(subcommand)]
    Schedule(Box<Schedule>),
    /// Read what automations did
    #[command(subcommand)]
    Execution(Execution),
    /// Read and retry what was given up
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// Bring events back, and follow that
    #[command(subcommand)]
    Replay(Replay),
    /// Raw payloads: what is captured, and until when
    #[command(subcommand)]
    Capture(Capture),
    /// Counts of what the server holds
    Stats,
    /// Look whether the server is well and nothing is lost; exit code 1 when something is
    Doctor(Doctor),
    /// Version of this program
    Version,
}

#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where events, definitions and the lock file live [default: ./omni-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address for webhooks, REST and gRPC [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Apply this file or folder of definitions once the server is ready; may repeat
    #[arg(long, value_name = "PATH")]
    pub(crate) apply: Vec<PathBuf>,
    /// Send yourself a signed webhook and tell what happens to it
    #[arg(long)]
    pub(crate) demo: bool,
    /// End when the story of --demo is told
    #[arg(long, hide = true, requires = "demo")]
    pub(crate) demo_exit: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Apply {
    /// A file, a folder (its .yaml, .yml and .json files by name) or - for standard input
    #[arg(short = 'f', long = "file", value_name = "FILE|DIR", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Trigger an event by hand
    Create(Box<CreateEvent>),
    /// The newest events first
    List(Box<ListEvents>),
    /// One event with its payload and outcome
    Get {
        /// Id of the event
        id: String,
    },
    /// What was captured of an event on its way; the bytes with --output json
    Payloads {
        /// Id of the event
        id: String,
    },
    /// Take the payload of an event out of the record for good
    Expunge(ExpungeEvent),
    /// One event with what automations did with it
    Info {
        /// Id of the event
        id: String,
    },
    /// Take back an event that is to happen later
    Cancel {
        /// Id of the event
        id: String,
    },
    /// Why automations ran for an event, or did not: what stood against it, and each field that did not hold
    Explain(ExplainEvent),
    /// What an event came from and what it set off, as a tree
    Trace {
        /// Id of the event
        id: String,
    },
    /// Follow events as they come, from now on or from after a sequence
    Tail(TailEvents),
}

#[derive(Args, Debug)]
pub(crate) struct CreateEvent {
    /// Type, such as custom.order.paid
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: String,
    /// Payload: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub(crate) payload: String,
    /// Kind of channel, such as whatsapp
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// Instance of the channel
    #[arg(long)]
    pub(crate) instance: Option<String>,
    /// low, normal, high or critical
    #[arg(long)]
    pub(crate) priority: Option<String>,
    /// When it is to happen: 2026-12-24T18:00:00Z, or +10m (s, m, h, d) from now on
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Who triggers it; the event says cli:WHO
    #[arg(long, value_name = "WHO", env = "USER", hide_env = true)]
    pub(crate) by: Option<String>,
}

/// Which part of a list.
#[derive(Args, Debug)]
pub(crate) struct Page {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Where the page before ended
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Execution {
    /// The newest executions first
    List(ListExecutions),
    /// One execution, action by action
    Get {
        /// Id of the execution
        id: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ListExecutions {
    /// Only those that this event caused
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Only those of this automation (id)
    #[arg(long, value_name = "ID")]
    pub(crate) automation: Option<String>,
    /// Only those with this status, such as completed or failed
    #[arg(long)]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_every_command_may_stand_behind_it() {
        let line = ["omni", "event", "list", "--limit", "5", "-o", "json", "--org", "acme"];
        let cli = Cli::parse_from(line);
        assert_eq!(cli.global.output, Format::Json);
        assert_eq!(cli.global.org, "acme");
        assert!(Cli::try_parse_from(["omni", "event", "list", "--limit", "501"]).is_err());
        assert!(Cli::try_parse_from(["omni", "up", "--demo-exit"]).is_err());
        assert!(Cli::try_parse_from(["omni", "apply"]).is_err());
    }
}
