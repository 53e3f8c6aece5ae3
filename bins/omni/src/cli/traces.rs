//! Events that happen later, their traces, and the doctor.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Audit everything that is stored, which may take minutes
    #[arg(long)]
    pub(crate) full: bool,
    /// Folder of the server on this machine, whose disk is looked at [default: ./omni-data if it is there]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}
