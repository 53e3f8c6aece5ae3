//! A server of another project that lives exactly as long as this process.
//!
//! The server runs under a few lines of shell that wait for the end of a pipe held by us. The
//! pipe ends when the [`Keeper`] is dropped and also when this process is interrupted, panics or
//! is killed; in every case the server is stopped and its directory removed. Both are a process
//! group of their own, so that an interrupt at the terminal ends the tests before the servers.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::Error;
use crate::process;

/// Waits for the end of its input or of the server, whichever is first. A server that ends
/// without being asked has its log shown.
const SCRIPT: &str = r#"
directory=$1
signal=$2
shift 2
exec 3<&0
"$@" >"$directory/server.log" 2>&1 3<&- &
server=$!
(read -r _ <&3; : >"$directory/asked"; kill -s $signal $server) 2>/dev/null &
watch=$!
wait $server
status=$?
kill $watch 2>/dev/null
[ -e "$directory/asked" ] || tail -n 30 "$directory/server.log" >&2
rm -rf "$directory"
exit $status
"#;

/// A server that is not ready after this time will not be.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// A server that does not stop within this time when asked is killed: its data are thrown away.
const STOPPED_WITHIN: Duration = Duration::from_secs(15);
/// How often a server is asked whether it is ready, or gone.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Who the server runs as.
#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What to start.
pub(super) struct Start {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// The signal at which the server stops in order, without waiting for its clients.
    pub(super) stop_signal: &'static str,
    /// `None` is the user of this process.
    pub(super) user: Option<User>,
    /// Belongs to the server and goes with it.
    pub(super) directory: TempDir,
}

/// A running server; dropping it stops the server and removes its directory.
pub(crate) struct Keeper {
    name: &'static str,
    child: Child,
    directory: PathBuf,
}

/// A directory whose path is short, because a Unix socket's path must fit in 107 bytes.
pub(super) fn directory(prefix: &str) -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix(prefix)
        .tempdir()
        .map_err(Error::io("create a temporary directory"))
}

impl Keeper {
    pub(super) fn start(start: Start) -> Result<Keeper, Error> {
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "keeper"])
            .arg(start.directory.path())
            .arg(start.stop_signal)
            .arg(&start.program)
            .args(&start.arguments)
            .current_dir(start.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0);
        if let Some(user) = start.user {
            command.uid(user.uid).gid(user.gid);
        }
        let child = command.spawn().map_err(Error::io(format!("start {}", start.name)))?;
        // From here on the directory is the script's to remove.
        Ok(Keeper { name: start.name, child, directory: start.directory.keep() })
    }

    /// Asks until the server is ready, it ends, or the time is over.
    pub(super) fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<(), Error> {
        let start = Instant::now();
        while !ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Error::failed(format!("{} ended at start ({status})", self.name)));
            }
            if start.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
                return Err(Error::failed(format!(
                    "{} is not ready after {READY_WITHIN:?}; its log:\n{log}",
                    self.name
                )));
            }
            pause();
        }
        Ok(())
    }

    /// Ends the whole group at once; what it leaves is removed here.
    fn kill(&mut self) {
        let group = format!("-{}", self.child.id());
        process::works(Command::new("sh").args(["-c", "kill -s KILL -- \"$1\"", "kill", &group]));
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }

    fn ends_within(&mut self, bound: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < bound {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            pause();
        }
        false
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if self.ends_within(STOPPED_WITHIN) {
            return;
        }
        self.kill();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of another project gives nothing to wait for; it has to be asked again"
)]
fn pause() {
    std::thread::sleep(ASK_EVERY);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in server: says that it is ready with a file, then stays until it is stopped.
    fn server(script: &str) -> Keeper {
        Keeper::start(Start {
            name: "stand-in",
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            stop_signal: "TERM",
            user: None,
            directory: directory("omni-keeper-").unwrap(),
        })
        .unwrap()
    }

    /// Waits until the stand-in has written its process id, and returns how to ask for it.
    fn started(keeper: &mut Keeper) -> impl Fn() -> bool + use<> {
        let file = keeper.directory.join("pid");
        keeper.wait_until(|| fs::read_to_string(&file).is_ok_and(|id| id.ends_with('\n'))).unwrap();
        let id = fs::read_to_string(&file).unwrap().trim().to_owned();
        move || process::works(Command::new("sh").args(["-c", "kill -0 $1", "kill", &id]))
    }

    #[test]
    fn dropping_the_keeper_stops_the_server_and_removes_its_directory() {
        let mut keeper = server("trap 'exit 0' TERM; echo $$ > pid; while :; do sleep 0.05; done");
        let directory = keeper.directory.clone();
        let alive = started(&mut keeper);
        assert!(alive());

        drop(keeper);

        assert!(!alive());
        assert!(!directory.exists());
    }

    #[test]
    fn a_server_that_does_not_listen_is_killed() {
        let mut keeper = server("trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done");
        let directory = keeper.directory.clone();
        let alive = started(&mut keeper);

        keeper.kill();

        // Its parent went with it, so that it is for the system to bury.
        let killed = Instant::now();
        while alive() {
            assert!(killed.elapsed() < STOPPED_WITHIN);
            pause();
        }
        assert!(!directory.exists());
    }

    #[test]
    fn a_server_that_ends_at_start_is_an_error_and_leaves_nothing() {
        let mut keeper = server("echo no such option; exit 3");
        let directory = keeper.directory.clone();
        let error = keeper.wait_until(|| false).unwrap_err();
        assert_eq!(error.to_string(), "stand-in ended at start (exit status: 3)");
        drop(keeper);
        assert!(!directory.exists());
    }
}
