//! Texts that need no look at all: a single name that no protected place has, in a folder that is not protected.
//!
//! Says yes only where resolving the text as a path would find nothing; a property test holds it to that. What it says
//! no to is resolved.

use canon::path::CleanPath;
use vocab::ArgumentKind;

/// Up to this many bytes, folder and name together are no path that is too long, even where lower case is longer.
const SHORT: usize = 1024;

/// What is to be known of the protected places.
#[derive(Clone, Debug)]
pub(super) struct Passing {
    /// The places, lower case, without a slash at the end.
    roots: Vec<String>,
    /// The last name of each.
    names: Vec<String>,
    /// Whether the project's folder, against which texts are read when a server's own is unknown, is outside them.
    project_is_outside: bool,
}

impl Passing {
    pub(super) fn beside(roots: &[CleanPath], project: &CleanPath) -> Self {
        let roots = roots.iter().map(|root| root.as_str().trim_end_matches('/').to_owned());
        let mut passing = Self { roots: roots.collect(), names: Vec::new(), project_is_outside: false };
        passing.names =
            passing.roots.iter().filter_map(|root| root.rsplit('/').next()).map(ToOwned::to_owned).collect();
        passing.project_is_outside = passing.is_outside(project.as_str());
        passing
    }

    /// Whether an argument's text surely points at no protected place.
    pub(super) fn surely(&self, server_cwd: &str, value: &str, kind: ArgumentKind) -> bool {
        // A state directory by its text has a slash in it, and no other character becomes one in lower case.
        is_one_name(value, kind) && !self.is_a_roots_name(value) && self.is_read_outside(server_cwd)
    }

    fn is_a_roots_name(&self, value: &str) -> bool {
        match value.is_ascii() {
            true => self.names.iter().any(|name| name.eq_ignore_ascii_case(value)),
            false => self.names.contains(&value.to_lowercase()),
        }
    }

    fn is_read_outside(&self, server_cwd: &str) -> bool {
        if server_cwd.starts_with('/') { self.is_outside(server_cwd) } else { self.project_is_outside }
    }

    /// Whether a folder is spelled as plainly as can be, and neither is a protected place nor lies in one.
    fn is_outside(&self, folder: &str) -> bool {
        let plain = folder.is_ascii() && folder.len() <= SHORT && !folder.contains('\0');
        let mut names = folder.split('/').skip(1);
        plain
            && names.all(|name| !matches!(name, "" | "." | ".."))
            && !self.roots.iter().any(|root| lies_in(folder, root))
    }
}

fn lies_in(folder: &str, root: &str) -> bool {
    let (head, rest) = folder.as_bytes().split_at_checked(root.len()).unwrap_or_default();
    head.len() == root.len() && head.eq_ignore_ascii_case(root.as_bytes()) && matches!(rest.first(), None | Some(b'/'))
}

/// Whether a text, read as this kind is read, is the name of something in the folder it is read in, and no more.
fn is_one_name(value: &str, kind: ArgumentKind) -> bool {
    let (url, sql) = (kind == ArgumentKind::Url, kind == ArgumentKind::Sql);
    // What is no path touches where a path is meant, and words of a command line are many.
    let is_short = value.len() <= SHORT || !matches!(kind, ArgumentKind::Path);
    let special = |byte: u8| {
        // A folder, a home, the end of a path; a scheme; a literal.
        (byte == b'/')
            | (byte == b'~')
            | (byte == 0)
            | (url & (byte == b':'))
            | (sql & ((byte == b'"') | (byte == b'\'')))
    };
    kind != ArgumentKind::Shell
        && is_short
        && !matches!(value, "." | "..")
        && !value.bytes().fold(false, |found, byte| found | special(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_character_becomes_special_in_lower_case() {
        for character in ('\u{80}'..=char::MAX).filter(|character| !character.is_ascii()) {
            let lower = character.to_lowercase();
            assert!(!lower.clone().any(|c| matches!(c, '/' | '~' | '\0' | ':' | '"' | '\'' | '.')), "{character:?}");
            let bytes: usize = lower.map(char::len_utf8).sum();
            assert!(bytes <= 2 * character.len_utf8(), "{character:?}");
        }
    }

    #[test]
    fn everyday_texts_need_no_look() {
        let root = CleanPath::absolute("/work/shop/mortise.toml").unwrap();
        let passing = Passing::beside(&[root], &CleanPath::absolute("/work/shop").unwrap());
        for cwd in ["/work/shop", "", "/WORK"] {
            for value in ["hello there, don't: 17%", "", "mortise.tom", "caf\u{e9}"] {
                assert!(passing.surely(cwd, value, ArgumentKind::Text), "{value} in {cwd}");
            }
            for value in ["mortise.toml", "Mortise.Toml", "a/b", "~", "..", "mortise.toml\0"] {
                assert!(!passing.surely(cwd, value, ArgumentKind::Text), "{value} in {cwd}");
            }
        }
        assert!(!passing.surely("/work/shop/mortise.toml", "x", ArgumentKind::Text));
        assert!(passing.surely("/work", &"x".repeat(SHORT), ArgumentKind::Path));
        assert!(!passing.surely("/work", &"x".repeat(SHORT + 1), ArgumentKind::Path));
    }
}
