//! Where the project lies, and what cargo says about its packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;
use crate::process;

/// The folder of the root `Cargo.toml`: xtask lies directly below it.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// `cargo` with the project as its folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    command
}

/// The part of `cargo metadata --no-deps` that the commands need.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// One package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependencies.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` is a normal dependency; otherwise `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    pub(crate) fn read() -> Result<Metadata, Error> {
        let json = process::output(cargo().args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--quiet",
        ]))?;
        serde_json::from_str(&json).map_err(|error| {
            Error::failed(format!("cargo metadata is not what we expect: {error}"))
        })
    }

    /// The folder where cargo puts the programs of a profile (`debug`, `release`).
    pub(crate) fn programs(&self, profile: &str) -> PathBuf {
        self.target_directory.join(profile)
    }
}
