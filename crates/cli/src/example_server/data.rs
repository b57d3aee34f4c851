//! Where a world's records come from: a file of the project, else the built-in ones.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;

/// The largest data file that is read: thousands of tickets, far below what memory would feel.
const DATA_BYTES: u64 = 4 * 1024 * 1024;

/// Records from `<directory>/<file>`, or the built-in ones when there is no such file. A file that is there but wrong is
/// an error: falling back would show other data than its author meant.
pub(super) fn load<T: DeserializeOwned>(directory: &Path, file: &str, built_in: &str) -> Result<T> {
    let path = directory.join(file);
    let text = match std::fs::File::open(&path) {
        Ok(open) => {
            let mut text = String::new();
            let read = open.take(DATA_BYTES + 1).read_to_string(&mut text);
            read.with_context(|| format!("`{}` cannot be read", path.display()))?;
            if text.len() as u64 > DATA_BYTES {
                bail!("`{}` is larger than {DATA_BYTES} bytes", path.display());
            }
            text
        }
        Err(error) if error.kind() == ErrorKind::NotFound => built_in.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("`{}` cannot be opened", path.display())),
    };
    serde_json::from_str(&text).with_context(|| format!("`{}` is not what the example server expects", path.display()))
}
