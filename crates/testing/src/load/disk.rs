//! What the disk can do: the limit beside which durable figures are read.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::load::error::Error;

/// Enough for a steady median, and over in a second.
const APPENDS: usize = 1000;

/// Median time, in microseconds, to append 1 KiB to a file in `folder` and have it on the disk.
pub(crate) fn sync_micros(folder: &Path) -> Result<f64, Error> {
    let mut file = File::create(folder.join("sync.probe"))?;
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let started = Instant::now();
        file.write_all(&[7; 1024])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    std::fs::remove_file(folder.join("sync.probe"))?;
    times.sort_unstable();
    Ok(times[APPENDS / 2].as_secs_f64() * 1e6)
}
