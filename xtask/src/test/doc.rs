//! Which packages have documentation examples. Asking rustdoc would build every package once more.

use crate::workspace::{Package, Workspace};
use anyhow::Result;
use std::path::Path;

/// The names of packages whose library has a code block in a doc comment.
pub fn packages_with_examples(workspace: &Workspace) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    for package in workspace.packages.iter().filter(|package| package.targets.iter().any(|target| target.doctest)) {
        if has_examples(package)? {
            names.push(package.name.as_str());
        }
    }
    Ok(names)
}

fn has_examples(package: &Package) -> Result<bool> {
    for file in crate::check::rust_files(&package.folder.join("src"))? {
        if is_example(&file)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_example(file: &Path) -> Result<bool> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().any(opens_example))
}

/// Whether a line opens a code block that rustdoc compiles; a block in another language it does not.
fn opens_example(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).unwrap_or_default().trim_start();
    comment.strip_prefix("```").is_some_and(|language| {
        let words = ["rust", "should_panic", "no_run", "compile_fail", "edition"];
        language.trim().is_empty() || words.iter().any(|word| language.starts_with(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rust_in_doc_comments_counts() {
        assert!(opens_example("    /// ```"));
        assert!(opens_example("//! ```compile_fail"));
        assert!(!opens_example("/// ```text"));
        assert!(!opens_example("// ```"));
        assert!(!opens_example("let fence = \"```\";"));
    }
}
