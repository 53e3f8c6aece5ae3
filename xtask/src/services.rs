//! What the tests need besides Rust: programs found, or installed where that is allowed, and a PostgreSQL server.

mod keeper;
mod packages;
mod postgres;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::process::Progress;
use crate::services::keeper::Keeper;
use crate::services::packages::Package;

/// PostgreSQL, running; dropping it stops it and removes its data. Each test that needs NATS starts one of its own.
pub(crate) struct Services {
    pub(crate) database_url: String,
    _keeper: Keeper,
}

impl Services {
    /// Sees to every program, and starts what is shared by all tests.
    pub(crate) fn start(progress: &Progress) -> Result<Services, Error> {
        let postgres = postgres::find().ok_or_else(|| packages::wanted(&[Package::Postgres]))?;
        let (keeper, database_url) = postgres::start(&postgres, progress)?;
        Ok(Services { database_url, _keeper: keeper })
    }
}

/// Sees to the programs that the tests need. What is missing is installed from the distribution's packages where we may
/// (root on Debian and its relatives); otherwise the error says what to install.
pub(crate) fn provide(progress: &Progress) -> Result<(), Error> {
    provide_all(&[Package::Nats, Package::Postgres, Package::Strace], progress)
}

/// Sees to `nats-server` alone, for programs that find and start it themselves.
pub(crate) fn provide_nats(progress: &Progress) -> Result<(), Error> {
    provide_all(&[Package::Nats], progress)
}

/// Sees to PostgreSQL alone, for programs that find and start it themselves.
pub(crate) fn provide_postgres(progress: &Progress) -> Result<(), Error> {
    provide_all(&[Package::Postgres], progress)
}

fn provide_all(packages: &[Package], progress: &Progress) -> Result<(), Error> {
    let missing = |packages: &[Package]| {
        packages.iter().copied().filter(|package| !is_installed(*package)).collect::<Vec<_>>()
    };
    let wanted = missing(packages);
    if wanted.is_empty() {
        return Ok(());
    }
    packages::install(&wanted, progress)?;
    match missing(&wanted)[..] {
        [] => Ok(()),
        ref still => Err(packages::wanted(still)),
    }
}

fn is_installed(package: Package) -> bool {
    match package {
        Package::Nats => has_program("nats-server"),
        Package::Strace => has_program("strace"),
        Package::Postgres => postgres::find().is_some(),
    }
}

fn has_program(name: &str) -> bool {
    // Debian puts servers where the path of an ordinary user does not look.
    let mut folders = search_path().into_iter().chain(["/usr/sbin".into()]);
    folders.any(|folder| is_file_in(&folder, name))
}

/// A port that was free a moment ago. Another process may take it before the server does; then
/// the server refuses to start and the run says so.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("find a free port"))?;
    Ok(listener.local_addr().map_err(Error::io("find a free port"))?.port())
}

/// The folders of `PATH`.
#[expect(clippy::disallowed_methods, reason = "finding a program is what PATH is for")]
fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn is_file_in(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file()
}
