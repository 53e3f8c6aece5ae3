//! The programs of PostgreSQL, and the user who may run them.

#![expect(clippy::expect_used, reason = "a test that cannot have its server cannot go on")]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

/// Where Debian puts each major version, besides the path.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Who the server runs as.
#[derive(Clone, Copy, Debug)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

/// The folder with the programs of the newest version.
#[expect(clippy::disallowed_methods, reason = "a test finds its programs by the path")]
pub(super) fn folder() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    versions.sort();
    let versions = versions.into_iter().rev().map(|(_, folder)| folder);
    versions
        .chain(std::env::split_paths(&path))
        .find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
        .expect("PostgreSQL is installed: `cargo xtask test` does it, or `apt install postgresql`")
}

/// PostgreSQL refuses to run as root; then it runs as the user whom its packages create. `None` is the user of this
/// process.
pub(super) fn user() -> Option<User> {
    let us = fs::metadata("/proc/self").expect("a process").uid();
    if us != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("accounts");
    let account = |name: &str| {
        let mut lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = lines.find(|fields| fields.first() == Some(&name))?;
        Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    };
    Some(account("postgres").or_else(|| account("nobody")).expect("a user besides root"))
}

/// Lets the command run as the user.
pub(super) fn as_user(mut command: Command, user: Option<User>) -> Command {
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Gives a file or directory to the user, for nobody else to read.
pub(super) fn give(path: &Path, user: Option<User>) {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    if let Some(user) = user {
        chown(path, Some(user.uid), Some(user.gid)).expect("a file may be given away by root");
    }
}
