//! The example's files, in the binary: the demo needs nothing beside it.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../examples/support-desk/", $path)))),+]
    };
}

/// Every file of `examples/support-desk`, by path.
const FILES: &[(&str, &str)] = files![
    "README.md",
    "mortise.lock",
    "mortise.toml",
    "mortise/agents/support-bot.toml",
    "mortise/policies/guards/closed-tickets.cedar",
    "mortise/policies/guards/destructive-scripts.cedar",
    "mortise/policies/guards/internal-notes.cedar",
    "mortise/policies/guards/pace.cedar",
    "mortise/policies/guards/private-data-stays.cedar",
    "mortise/policies/guards/production-needs-a-person.cedar",
    "mortise/policies/guards/protected-namespaces.cedar",
    "mortise/policies/guards/rehearse-cache-purge.cedar",
    "mortise/policies/roles/support.cedar",
    "mortise/tests/privacy.yaml",
    "mortise/tests/safety.yaml",
    "mortise/tests/work.yaml",
    "mortise/tools/desk.toml",
    "mortise/tools/mailer.toml",
];

/// Writes the example below a folder, and says where.
pub fn write(below: &Path) -> Result<PathBuf, Failure> {
    let root = below.join("support-desk");
    for (path, text) in FILES {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }

    #[test]
    fn the_binary_has_every_file_of_the_example() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-desk");
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        found.sort();
        let mut listed: Vec<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        listed.sort();
        assert_eq!(found, listed);
    }
}
