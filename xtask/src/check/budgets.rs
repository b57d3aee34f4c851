//! Sizes: of source files, so that a file stays one idea, and of the binary.

use super::source::{code_lines, is_test_file, rust_files};
use crate::workspace::Workspace;
use anyhow::{Result, bail};

/// No file has more lines of code than this.
const FILE_MUST: usize = 800;
/// Above this a file is named, to be thought about.
const FILE_AIM: usize = 400;
/// The stripped release binary, bytes.
const BINARY_MUST: u64 = 60 << 20;
/// Where the binary should go, bytes.
const BINARY_AIM: u64 = 30 << 20;

/// Fails when a file or the binary is over budget; prints where things stand.
pub fn check(workspace: &Workspace) -> Result<()> {
    let mut sizes = Vec::new();
    for package in &workspace.packages {
        for file in rust_files(&package.folder)?.into_iter().filter(|file| !is_test_file(file)) {
            let lines = code_lines(&std::fs::read_to_string(&file)?).len();
            sizes.push((lines, file.strip_prefix(&workspace.root).unwrap_or(&file).display().to_string()));
        }
    }
    sizes.sort();
    let (count, at) = (sizes.len(), |percent: usize| percentile(&sizes, percent));
    println!("files: {count}, lines of code: median {}, p90 {}, largest {}", at(50), at(90), at(100));
    for (lines, file) in sizes.iter().filter(|(lines, _)| *lines > FILE_AIM) {
        println!("  {lines} lines (aim {FILE_AIM}, must {FILE_MUST}): {file}");
    }
    if at(100) > FILE_MUST {
        bail!("a file has more than {FILE_MUST} lines of code");
    }
    binary(workspace)
}

fn binary(workspace: &Workspace) -> Result<()> {
    let path = workspace.target.join("release").join(format!("mortise{}", std::env::consts::EXE_SUFFIX));
    let Ok(metadata) = std::fs::metadata(&path) else {
        println!("binary: not measured, there is no release build");
        return Ok(());
    };
    let size = metadata.len();
    println!("binary: {:.1} MiB (aim {}, must {})", mebibytes(size), BINARY_AIM >> 20, BINARY_MUST >> 20);
    if size > BINARY_MUST {
        bail!("the release binary is larger than {} MiB", BINARY_MUST >> 20);
    }
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    // Kibibytes fit an f64 exactly up to 2^53.
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
}

/// The nearest-rank percentile of sorted sizes; 0 of none.
fn percentile(sorted: &[(usize, String)], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or(0, |(lines, _)| *lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let sizes: Vec<_> = (1..=10).map(|lines| (lines, String::new())).collect();
        assert_eq!([0, 50, 90, 100].map(|percent| percentile(&sizes, percent)), [1, 5, 9, 10]);
        assert_eq!(percentile(&[], 50), 0);
    }
}
