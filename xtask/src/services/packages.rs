//! Installing what is missing from the distribution's packages, or saying what to install.

use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::process::{self, Progress};

/// A package of the distribution.
#[derive(Clone, Copy)]
pub(super) enum Package {
    Nats,
    Postgres,
    Strace,
}

impl Package {
    /// What Debian calls it.
    fn name(self) -> &'static str {
        match self {
            Package::Nats => "nats-server",
            Package::Postgres => "postgresql",
            Package::Strace => "strace",
        }
    }

    /// What it is.
    fn description(self) -> &'static str {
        match self {
            Package::Nats => "nats-server (NATS 2.9 or newer)",
            Package::Postgres => "the PostgreSQL server (15 or newer)",
            Package::Strace => "strace (it makes calls to the system fail)",
        }
    }
}

/// Some packages start a server of their own when they are installed. A policy of 101 for the
/// time of the installation forbids that; the trap takes the policy away again.
const INSTALL: &str = r#"
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi
apt-get update -q
apt-get install -y -q --no-install-recommends "$@"
"#;

pub(super) fn install(packages: &[Package], progress: &Progress) -> Result<(), Error> {
    if !is_root() || !is_debian() {
        return Err(wanted(packages));
    }
    let names: Vec<&str> = packages.iter().map(|package| package.name()).collect();
    progress.say(&format!("installing {} (root on a Debian system)", names.join(" ")));
    let mut command = Command::new("sh");
    command.args(["-c", INSTALL, "install"]).args(&names);
    process::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
        .map_err(|_| Error::failed(format!("cannot install {}: see above", names.join(" "))))
}

/// The one line for a machine where we may not install anything.
pub(super) fn wanted(packages: &[Package]) -> Error {
    let descriptions: Vec<&str> = packages.iter().map(|package| package.description()).collect();
    let names: Vec<&str> = packages.iter().map(|package| package.name()).collect();
    Error::failed(format!(
        "install {} and call this again (Debian: sudo apt-get install {})",
        descriptions.join(" and "),
        names.join(" ")
    ))
}

pub(super) fn is_root() -> bool {
    process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}
