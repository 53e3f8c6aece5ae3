//! A private PostgreSQL server.
//!
//! It keeps its defaults (fsync included): what the tests say about durability must be true.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process::{self, Progress};
use crate::services::keeper::{self, Keeper, Start, User};
use crate::services::packages;

/// The oldest major version that the project supports.
const VERSION_MIN: u32 = 15;

/// Many tests run at once, each with pools of its own.
const CONNECTIONS_MAX: &str = "max_connections=300";

/// The folder with the programs of the newest version that is new enough.
pub(super) fn find() -> Option<PathBuf> {
    let mut folders = super::search_path();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(installed.map(|version| version.path().join("bin")));
    let complete = folders.into_iter().filter(|folder| {
        ["initdb", "postgres", "pg_isready"].iter().all(|name| super::is_file_in(folder, name))
    });
    complete
        .filter_map(|folder| Some((version(&folder)?, folder)))
        .filter(|(version, _)| *version >= VERSION_MIN)
        .max_by_key(|(version, _)| *version)
        .map(|(_, folder)| folder)
}

fn version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)` is 15; `17beta1` is 17.
fn major(text: &str) -> Option<u32> {
    let word = text.split_whitespace().nth(2)?;
    let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

pub(super) fn start(folder: &Path, progress: &Progress) -> Result<(Keeper, String), Error> {
    let port = super::free_port()?.to_string();
    progress.say(&format!("starting PostgreSQL on port {port}, waiting until it accepts"));
    let directory = keeper::directory("omni-pg-")?;
    let user = owner()?;
    if let Some(user) = user {
        chown(directory.path(), Some(user.uid), Some(user.gid))
            .map_err(Error::io("give PostgreSQL its directory"))?;
    }
    let data = directory.path().join("data");
    initialise(folder, &data, user)?;
    let mut keeper = Keeper::start(Start {
        name: "PostgreSQL",
        program: folder.join("postgres"),
        arguments: [
            "-D",
            &data.display().to_string(),
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-k",
            &directory.path().display().to_string(),
            "-c",
            CONNECTIONS_MAX,
        ]
        .map(ToOwned::to_owned)
        .to_vec(),
        // A fast shutdown: clients that are still there are sent away.
        stop_signal: "INT",
        user,
        directory,
    })?;
    let ready = ["-q", "-h", "127.0.0.1", "-p", &port, "-U", "omni", "-d", "postgres"];
    keeper.wait_until(|| process::works(Command::new(folder.join("pg_isready")).args(ready)))?;
    Ok((keeper, format!("postgres://omni@127.0.0.1:{port}/postgres")))
}

fn initialise(folder: &Path, data: &Path, user: Option<User>) -> Result<(), Error> {
    let mut command = Command::new(folder.join("initdb"));
    command.arg("-D").arg(data).args(["-U", "omni", "--auth=trust", "--encoding=UTF8"]);
    command.args(["--locale=C", "--no-sync"]);
    command.current_dir(data.parent().unwrap_or(data));
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command.output().map_err(Error::io("run initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::failed(format!("initdb failed ({}):\n{said}", output.status)))
}

/// PostgreSQL refuses to run as root; then it runs as the user whom its packages create.
fn owner() -> Result<Option<User>, Error> {
    if !packages::is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").map_err(Error::io("read /etc/passwd"))?;
    let user = account(&accounts, "postgres").or_else(|| account(&accounts, "nobody"));
    user.map(Some).ok_or_else(|| {
        Error::failed("PostgreSQL cannot run as root, and there is no user postgres or nobody")
    })
}

fn account(accounts: &str, name: &str) -> Option<User> {
    let mut fields = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = fields.find(|fields| fields.first() == Some(&name))?;
    Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 17beta1"), Some(17));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn account_is_read() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib:/bin/sh\n";
        let user = account(accounts, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(account(accounts, "post").is_none());
    }
}
