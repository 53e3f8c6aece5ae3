//! Automations: read, switched, tried out and looked over.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Automation {
    /// All automations by name
    List(Page),
    /// One automation
    Get {
        /// Id or name
        automation: String,
    },
    /// Let an automation run
    Enable {
        /// Id or name
        automation: String,
    },
    /// Keep an automation from running
    Disable {
        /// Id or name
        automation: String,
    },
    /// Whether a definition would run for an event, why not, and what its actions would be given; nothing is done
    Test(TestAutomation),
    /// What is odd about automations: what can never hold, what the schema rules out, what others say already
    Lint(LintAutomations),
}

#[derive(Args, Debug)]
pub(crate) struct TestAutomation {
    /// The definition: a document of kind Automation, or what stands under its spec; YAML or JSON, - for standard input
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Which of several automations in the file
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The event: a file with its type and payload, or the id of one in the record
    #[arg(long, value_name = "FILE|ID")]
    pub(crate) event: String,
}

#[derive(Args, Debug)]
pub(crate) struct LintAutomations {
    /// Definitions that need not be saved; all automations of the organisation when absent
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Which of several automations in the file
    #[arg(long, requires = "file")]
    pub(crate) name: Option<String>,
}
