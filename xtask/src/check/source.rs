//! Finding our source files, and telling code from tests and comments.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// All Rust files below a folder, in order of their paths. A folder that does not exist has none.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop().filter(|folder| folder.exists()) {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The lines of code of a file with their numbers from 1: no tests, no comments, no blank lines.
///
/// Tests are the last thing in a file (`#[cfg(test)]` before a `mod`), or a file of their own named `tests.rs`.
pub fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut after_gate = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim();
        if after_gate && code.starts_with("mod ") && code.ends_with('{') {
            break;
        }
        after_gate = code == "#[cfg(test)]" || (after_gate && code.starts_with('#'));
        if !code.is_empty() && !code.starts_with("//") {
            lines.push((number, line));
        }
    }
    lines
}

/// Whether a file holds only tests.
pub fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_are_not_code() {
        let text = "//! Doc.\n\nfn a() {}\n// why\nfn b() {}\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
        let numbers: Vec<usize> = code_lines(text).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [3, 5, 7]);
    }

    #[test]
    fn a_gated_item_that_is_no_module_does_not_end_the_code() {
        assert_eq!(code_lines("#[cfg(test)]\nuse a::b;\nfn c() {}\n").len(), 3);
    }
}
