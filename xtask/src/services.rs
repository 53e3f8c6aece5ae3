//! The servers that the tests need: found, installed where that is allowed, started, stopped.

mod keeper;
mod nats;
mod packages;
mod postgres;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::process::Progress;
use crate::services::keeper::Keeper;

/// Where the programs are.
pub(crate) struct Programs {
    nats_server: PathBuf,
    /// The folder with `initdb`, `postgres` and `pg_isready`.
    postgres: PathBuf,
}

/// Both servers, running; dropping them stops them and removes their data.
pub(crate) struct Services {
    pub(crate) database_url: String,
    pub(crate) nats_url: String,
    _keepers: [Keeper; 2],
}

/// Finds the programs. What is missing is installed from the distribution's packages where we
/// may (root on Debian and its relatives); otherwise the error says what to install.
pub(crate) fn provide(progress: &Progress) -> Result<Programs, Error> {
    let missing = match (nats::find(), postgres::find()) {
        (Some(nats_server), Some(postgres)) => return Ok(Programs { nats_server, postgres }),
        (None, Some(_)) => vec![packages::NATS],
        (Some(_), None) => vec![packages::POSTGRES],
        (None, None) => vec![packages::NATS, packages::POSTGRES],
    };
    packages::install(&missing, progress)?;
    match (nats::find(), postgres::find()) {
        (Some(nats_server), Some(postgres)) => Ok(Programs { nats_server, postgres }),
        _ => Err(packages::wanted(&missing)),
    }
}

impl Services {
    pub(crate) fn start(programs: &Programs, progress: &Progress) -> Result<Services, Error> {
        let (nats, nats_url) = nats::start(&programs.nats_server, progress)?;
        let (postgres, database_url) = postgres::start(&programs.postgres, progress)?;
        Ok(Services { database_url, nats_url, _keepers: [postgres, nats] })
    }
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
