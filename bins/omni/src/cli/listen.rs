//! What `omni listen` follows, and where it sends it.

use std::time::Duration;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// Name of a webhook source, such as github; or what its events name, such as schedule:nightly
    pub(crate) source: String,
    /// Where each request goes on to, such as http://localhost:3000/webhooks or localhost:3000
    #[arg(long, value_name = "URL")]
    pub(crate) forward: String,
    /// Begin after this sequence, at this time (2026-12-24T18:00:00Z), or so long ago (10m; s, m, h, d)
    #[arg(long, value_name = "SEQUENCE|TIME", conflicts_with = "replay")]
    pub(crate) since: Option<String>,
    /// Begin with the last N events of the source
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) replay: Option<u16>,
    /// Header to send with every request, such as 'X-Gitlab-Token: …'; may repeat
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Seconds that the local server has for each request
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// Create the source if it is not there
    #[arg(long)]
    pub(crate) create: bool,
    /// Provider of the source that is created, such as github
    #[arg(long, requires = "create")]
    pub(crate) provider: Option<String>,
    /// Secret of the source that is created: @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", requires = "create")]
    pub(crate) secret: Option<String>,
}

impl Listen {
    /// How long the local server has for each request.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
