//! A connection to a SQLite file, set up so that a commit that was answered survives a power cut.

use std::{path::Path, time::Duration};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};

use crate::{Error, Result};

/// The timeout comes first, so that what follows waits for locks; the page size must be set before the first table. With
/// `FULL`, a commit that was answered survives a power cut.
const PRAGMAS: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA page_size = 8192;
    PRAGMA journal_mode = wal;
    PRAGMA foreign_keys = on;
    PRAGMA temp_store = memory;
    PRAGMA journal_size_limit = 134217728;
";
/// How often a connection is set up again while another one makes the file, and the pause between: 5 s in all, like the
/// wait for other locks.
const SET_UP_TRIES: u32 = 1000;
const SET_UP_PAUSE: Duration = Duration::from_millis(5);
/// The writer copies the log itself only when it reaches 64 MiB; see `checkpoint`.
const WRITER_PRAGMAS: &str = "
    PRAGMA synchronous = full;
    PRAGMA cache_size = -65536;
    PRAGMA wal_autocheckpoint = 8192;
";
const READER_PRAGMAS: &str = "PRAGMA query_only = on; PRAGMA cache_size = -8192;";

/// Opens the connection that writes; makes the file if it is not there.
pub(crate) fn open_writer(path: &Path) -> Result<SqliteConnection> {
    open(path, WRITER_PRAGMAS)
}

/// Opens a connection that refuses to write.
pub(crate) fn open_reader(path: &Path) -> Result<SqliteConnection> {
    open(path, READER_PRAGMAS)
}

fn open(path: &Path, role: &str) -> Result<SqliteConnection> {
    let failed = |reason: String| Error::Connect {
        place: path.display().to_string(),
        reason,
        advice: "check that the folder is there and this user may write to it",
    };
    let url = path.to_str().ok_or_else(|| failed("the path is not UTF-8".into()))?;
    let mut lite = SqliteConnection::establish(url).map_err(|error| failed(error.to_string()))?;
    set_up(&mut lite, role).map_err(|error| failed(error.to_string()))?;
    Ok(lite)
}

/// Sets a connection up. SQLite itself does not wait when two connections turn on the write-ahead log of a new file at
/// once, so the one that comes second tries again.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause on a blocking thread while another process makes the file"
)]
fn set_up(lite: &mut SqliteConnection, role: &str) -> diesel::QueryResult<()> {
    let mut tries_left = SET_UP_TRIES;
    loop {
        match lite.batch_execute(PRAGMAS).and_then(|()| lite.batch_execute(role)) {
            Err(error) if tries_left > 0 && error.to_string().contains("locked") => {
                tries_left -= 1;
                std::thread::sleep(SET_UP_PAUSE);
            }
            done => return done,
        }
    }
}
