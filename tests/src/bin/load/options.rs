//! How much is measured.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub const USAGE: &str = "\
usage: load [--calls N] [--rounds N] [--seconds S] [--clients N] [--directory DIR]

  --calls N        calls of one measurement with 1 client, four times as many with 16 (default 10000)
  --rounds N       rounds; each measures every path once, in rotated order (default 8)
  --seconds S      a measurement that is not through by then ends, with the calls it has (default 15, at most 20)
  --clients N      only the paths with this many clients, 1 or 16 (default: all)
  --directory DIR  where projects, logs and the baseline's file lie (default: beside the build); a round of the default
                   size takes about 1 GB, which is given back at the end

The measured binary is $MORTISE_BIN, else the debug build. `echo-server` and `raw-proxy` lie beside this one.";

/// Longest measurement, seconds: on a shared machine a longer one says more about the neighbours.
const MOST_SECONDS: u64 = 20;

pub struct Options {
    /// Calls of one measurement with one client.
    pub calls: usize,
    pub rounds: usize,
    /// When a measurement ends at the latest.
    pub limit: Duration,
    /// Only paths with this many clients.
    pub clients: Option<usize>,
    pub directory: PathBuf,
}

impl Options {
    /// Reads the command line.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { calls: 10_000, rounds: 8, limit: Duration::from_secs(15), clients: None, directory: beside_build() };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--calls" => options.calls = number(&name, &value)?,
                "--rounds" => options.rounds = number(&name, &value)?,
                "--seconds" => {
                    let seconds: u64 = number(&name, &value)?;
                    if seconds > MOST_SECONDS {
                        return Err(format!("`--seconds` is at most {MOST_SECONDS}"));
                    }
                    options.limit = Duration::from_secs(seconds);
                }
                "--clients" => match number(&name, &value)? {
                    clients @ (1 | 16) => options.clients = Some(clients),
                    _ => return Err(format!("`--clients` is 1 or 16, not `{value}`")),
                },
                "--directory" => options.directory = PathBuf::from(value),
                _ => return Err(format!("`{name}` is not known")),
            }
        }
        options.directory = std::fs::canonicalize(&options.directory)
            .map_err(|error| format!("`{}`: {error}", options.directory.display()))?;
        Ok(options)
    }
}

fn number<N: FromStr + PartialOrd + From<u8>>(name: &str, value: &str) -> Result<N, String> {
    let number = value.parse().ok().filter(|number| *number >= N::from(1));
    number.ok_or_else(|| format!("`{name}` takes a number from 1, not `{value}`"))
}

/// The target folder: on a real disk, where the temporary folder of a system often is memory.
fn beside_build() -> PathBuf {
    let binary = std::env::current_exe().unwrap_or_default();
    binary.ancestors().nth(2).map_or_else(std::env::temp_dir, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn measurements_stay_bounded() {
        assert_eq!(parse(&["--seconds", "20"]).unwrap().limit, Duration::from_secs(20));
        assert!(parse(&["--seconds", "21"]).is_err());
        assert!(parse(&["--calls", "0"]).is_err());
        assert!(parse(&["--calls"]).is_err());
        assert!(parse(&["--clients", "2"]).is_err());
        assert!(parse(&["--fast", "1"]).is_err());
    }
}
