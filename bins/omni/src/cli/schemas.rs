//! What can be typed about event types and their schemas.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Register an event type, or the next version of one; what it would break is told, for whom, and with an example
    Register(RegisterSchema),
    /// All event types by name
    List {
        /// Only those under this, such as custom.order
        #[arg(long)]
        namespace: Option<String>,
    },
    /// One event type with its schema
    Get(GetSchema),
    /// The versions of an event type, newest first, a hundred at a time
    Versions {
        /// The event type
        event_type: String,
        /// Only those below this one
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        before: Option<i32>,
    },
    /// Say what a schema would break, and for whom; changes nothing, exit code 1 when it would be refused
    Check(CheckSchema),
    /// What changed between two versions, or between the newest one and a file
    Diff {
        /// The event type
        event_type: String,
        /// Two versions; one (and the newest); none (the newest and the one before); or a file with a schema
        #[arg(value_name = "VERSION|FILE", num_args = 0..=2)]
        sides: Vec<String>,
    },
    /// Propose a schema that fits the stored events of a type
    Infer(InferSchema),
    /// Register the event types of an OpenAPI 3.1 or AsyncAPI 3 document
    Import(ImportSchemas),
    /// Write the event types as an OpenAPI or AsyncAPI document
    Export(ExportSchemas),
    /// Change what is said of an event type besides its schema; the word inherit takes a mode, a policy or a stream back
    Config {
        /// The event type
        event_type: String,
        #[command(flatten)]
        options: TypeOptions,
    },
    /// Read or change what holds for types that say nothing themselves
    Settings {
        /// Which changes are let through: NONE, BACKWARD, FORWARD, FULL, or one of the last three with _TRANSITIVE
        #[arg(long, value_name = "MODE")]
        compatibility: Option<String>,
        /// How versions are compared: lenient or exact
        #[arg(long)]
        policy: Option<String>,
    },
    /// Delete an event type; its versions can still be read, its events stay
    Delete {
        /// The event type
        event_type: String,
        /// Delete the versions of a type that was deleted before, for good
        #[arg(long)]
        permanent: bool,
    },
}

/// What can be said of an event type besides its schema.
#[derive(Args, Debug, Default)]
pub(crate) struct TypeOptions {
    /// What events of the type tell, in one sentence
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// How payloads are checked: off, warn or enforce [a new type: enforce]
    #[arg(long)]
    pub(crate) validation: Option<String>,
    /// Which changes are let through: NONE, BACKWARD, FORWARD, FULL, or one of the last three with _TRANSITIVE
    #[arg(long, value_name = "MODE")]
    pub(crate) compatibility: Option<String>,
    /// How versions are compared: lenient or exact
    #[arg(long)]
    pub(crate) policy: Option<String>,
    /// The stream its events go to
    #[arg(long)]
    pub(crate) stream: Option<String>,
}

impl TypeOptions {
    /// The names that the server has for them, and the words as it writes them.
    pub(crate) fn named(&self) -> [(&'static str, Option<String>); 5] {
        let lower = |word: &Option<String>| word.as_ref().map(|word| word.to_lowercase());
        [
            ("description", self.description.clone()),
            ("validation", lower(&self.validation)),
            ("compatibility", self.compatibility.as_deref().map(mode)),
            ("policy", lower(&self.policy)),
            ("stream", self.stream.as_deref().map(mode)),
        ]
    }
}

/// The word that takes back what was said of a type.
pub(crate) const INHERIT: &str = "inherit";

/// A word as the server writes modes and streams: `full-transitive` is `FULL_TRANSITIVE`.
pub(crate) fn mode(word: &str) -> String {
    word.to_uppercase().replace('-', "_")
}

#[derive(Args, Debug)]
pub(crate) struct RegisterSchema {
    /// JSON or YAML: a JSON Schema, or a document of kind EventType; - is standard input
    pub(crate) file: PathBuf,
    /// The event type, such as custom.order.paid; needed unless the file says it
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    #[command(flatten)]
    pub(crate) options: TypeOptions,
}

#[derive(Args, Debug)]
pub(crate) struct GetSchema {
    /// The event type
    pub(crate) event_type: String,
    /// This version [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u32>,
    /// Only the schema, as JSON (YAML with --output yaml)
    #[arg(long)]
    pub(crate) schema: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckSchema {
    /// The event type
    pub(crate) event_type: String,
    /// JSON or YAML: a JSON Schema, or a document of kind EventType; - is standard input
    pub(crate) file: PathBuf,
    /// Most stored events to check, the newest ones [default: as the server has it]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// As if this mode held
    #[arg(long, value_name = "MODE")]
    pub(crate) compatibility: Option<String>,
    /// As if this policy held: lenient or exact
    #[arg(long)]
    pub(crate) policy: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct InferSchema {
    /// The event type
    pub(crate) event_type: String,
    /// Most stored events to look at, the newest ones [default: as the server has it]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Only events received at or after this time, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only events received before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Register what was proposed
    #[arg(long)]
    pub(crate) register: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ImportSchemas {
    /// The document, JSON or YAML; - is standard input
    pub(crate) file: PathBuf,
    /// What stands before every name [default: as the server has it]
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// Only tell what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How payloads of the types are checked: off, warn or enforce
    #[arg(long)]
    pub(crate) validation: Option<String>,
    /// Which changes of the types are let through
    #[arg(long, value_name = "MODE")]
    pub(crate) compatibility: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ExportSchemas {
    /// Which kind of document
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
    /// Only the types under this, such as custom.order
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// As YAML, not as JSON
    #[arg(long)]
    pub(crate) yaml: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// OpenAPI 3.1 with webhooks
    Openapi,
    /// AsyncAPI 3
    Asyncapi,
}

impl ExportFormat {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Openapi => "openapi",
            Self::Asyncapi => "asyncapi",
        }
    }
}
