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
        let mut child = omni()
            .envs(variables.iter().copied())
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
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
