//! The program as a process of its own.

use std::{path::Path, process::Stdio};

use omni_testing::PATIENCE;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// The `omni` program that `cargo xtask test` has built.
#[expect(clippy::disallowed_methods, reason = "set by the command that runs the tests")]
pub(crate) fn omni() -> Command {
    let binary = std::env::var("OMNI_TEST_BINARY");
    let mut command =
        Command::new(binary.expect("this test needs the omni program: run `cargo xtask test`"));
    command.env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A server in a process of its own.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
}

impl Process {
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[]).await
    }

    /// Starts one with these variables.
    pub(crate) async fn start_with(dir: &Path, variables: &[(&str, &str)]) -> Self {
        Self::spawn(dir, "127.0.0.1:0", variables).await
    }

    /// Starts one on this address.
    pub(crate) async fn start_at(dir: &Path, address: &str) -> Self {
        Self::spawn(dir, address, &[]).await
    }

    /// Starts one that may have so many open files.
    pub(crate) async fn start_within(dir: &Path, files: u32) -> Self {
        let omni = omni();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]);
        command.arg(omni.as_std().get_program()).stdin(Stdio::null()).kill_on_drop(true);
        Self::launch(command, dir, "127.0.0.1:0", &[]).await
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    async fn spawn(dir: &Path, address: &str, variables: &[(&str, &str)]) -> Self {
        Self::launch(omni(), dir, address, variables).await
    }

    async fn launch(
        mut command: Command,
        dir: &Path,
        address: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child = command
            .envs(variables.iter().copied())
            .args(["up", "--listen", address, "--data-dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let url =
            line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { child, url }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
    }

    pub(crate) async fn exit_code(mut self) -> Option<i32> {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code()
    }
}
