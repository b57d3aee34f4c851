//! The least a durable commit costs on this disk now: 2 KiB written into a zero-filled file, then `fdatasync`.

use crate::options::Options;
use crate::statistics::percentile;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a call's records take together, rounded up.
const RECORD_BYTES: usize = 2048;
const MEBIBYTE: usize = 1024 * 1024;
/// Room for the largest number of writes, so that none extends the file: that would be a journal commit as well.
const FILE_BYTES: usize = 4 * MEBIBYTE;
const MOST_WRITES: usize = FILE_BYTES / RECORD_BYTES;

/// The median of one tenth as many commits as a measurement has calls, 100 to 2,048.
pub fn sync_p50(options: &Options) -> Result<Duration, String> {
    let writes = (options.calls / 10).clamp(100, MOST_WRITES);
    measure(&options.directory, writes, options.limit).map_err(|error| format!("baseline: {error}"))
}

fn measure(directory: &Path, writes: usize, limit: Duration) -> std::io::Result<Duration> {
    let folder = tempfile::tempdir_in(directory)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(folder.path().join("raw"))?;
    let zeros = vec![0; MEBIBYTE];
    for _ in 0..FILE_BYTES / MEBIBYTE {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    let record = vec![b'x'; RECORD_BYTES];
    let (begin, mut latencies) = (Instant::now(), Vec::with_capacity(writes));
    for offset in (0..).step_by(RECORD_BYTES).take(writes) {
        let start = Instant::now();
        file.write_all_at(&record, offset)?;
        file.sync_data()?;
        latencies.push(start.elapsed());
        if begin.elapsed() > limit {
            break;
        }
    }
    latencies.sort_unstable();
    Ok(percentile(&latencies, 50))
}
