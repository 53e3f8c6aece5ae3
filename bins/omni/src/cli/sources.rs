//! `omni source`: what can be typed.

use clap::{Args, Subcommand};

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    /// Make a source, and say what to register at its sender
    Create(SaveSource),
    /// All sources by name
    List(Page),
    /// One source
    Get {
        /// Name of the source
        name: String,
    },
    /// Change what is given of a source; the rest stays
    Update(SaveSource),
    /// Delete a source; its events stay
    Delete {
        /// Name of the source
        name: String,
    },
    /// Let a source take requests
    Enable {
        /// Name of the source
        name: String,
    },
    /// Answer requests to a source as if there were none
    Disable {
        /// Name of the source
        name: String,
    },
    /// The providers whose webhooks are known, and what each needs
    Providers,
    /// Why a request is refused, or a genuine sample to send; exit code 1 when it would be refused
    Test(TestSource),
    /// Give a source a new secret; those before it count until the overlap ends
    RotateSecret(RotateSecret),
    /// The requests that a source refused
    #[command(subcommand)]
    Quarantine(Quarantine),
}

#[derive(Args, Debug)]
pub(crate) struct SaveSource {
    /// Name of the source; a part of its address
    pub(crate) name: String,
    /// Whose webhooks these are; `omni source providers` shows the names
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// The secret: @FILE, - for standard input, or the secret itself, which others may see in the list of processes
    #[arg(long, value_name = "@FILE|-|SECRET")]
    pub(crate) secret: Option<String>,
    /// The second secret that some providers need: @FILE or the value
    #[arg(long, value_name = "@FILE|SECRET")]
    pub(crate) second_secret: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// The URL as the sender knows it, where the URL is signed
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Address or network that may send; may repeat
    #[arg(long, value_name = "IP[/BITS]")]
    pub(crate) allow_ip: Vec<String>,
    /// Everything else of the definition: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub(crate) spec: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct TestSource {
    /// Name of the source
    pub(crate) name: String,
    /// A request of the quarantine (id)
    #[arg(long, value_name = "ID", conflicts_with_all = ["header", "body", "url", "method", "at"])]
    pub(crate) quarantined: Option<String>,
    /// A header, as `Name: value`; may repeat
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The body exactly as it came: text, @FILE, or - for standard input
    #[arg(long, value_name = "TEXT|@FILE|-")]
    pub(crate) body: Option<String>,
    /// The URL that the sender called
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// The method
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// When the request came, such as 2026-11-21T10:00:00Z; now unless given
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RotateSecret {
    /// Name of the source
    pub(crate) name: String,
    /// The new secret: @FILE, - for standard input, or the secret itself; one is made and shown once without it
    #[arg(long, value_name = "@FILE|-|SECRET")]
    pub(crate) secret: Option<String>,
    /// How long the secrets before it still count, in seconds; a day unless given, 0 for not at all
    #[arg(long, value_name = "SECONDS")]
    pub(crate) overlap: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// What a source refused, the newest first
    List(ListQuarantine),
    /// One request that was refused
    Get {
        /// Name of the source
        source: String,
        /// Id of the request
        id: String,
    },
    /// Take in a request once its source is mended, or with --all every one that waits
    Release(ReleaseQuarantined),
    /// Delete a request that was refused
    Delete {
        /// Name of the source
        source: String,
        /// Id of the request
        id: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ListQuarantine {
    /// Name of the source
    pub(crate) source: String,
    /// Only those that are refused, or released
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only those refused for this, such as signature-mismatch
    #[arg(long)]
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[derive(Args, Debug)]
pub(crate) struct ReleaseQuarantined {
    /// Name of the source
    pub(crate) source: String,
    /// Id of the request
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) id: Option<String>,
    /// The oldest hundred that wait
    #[arg(long)]
    pub(crate) all: bool,
    /// Only those refused for this, such as signature-mismatch
    #[arg(long, requires = "all")]
    pub(crate) code: Option<String>,
    /// Take it although it is not genuine; that is noted
    #[arg(long, conflicts_with = "all")]
    pub(crate) force: bool,
    /// Why, for those who look later
    #[arg(long, conflicts_with = "all")]
    pub(crate) note: Option<String>,
}
