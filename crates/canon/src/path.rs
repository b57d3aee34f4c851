//! File paths by their text: one spelling for one place, without asking the file system.
//!
//! What text cannot tell: symbolic links (`a/link/..` is `a` here and may be elsewhere on disk), and file systems that
//! ignore case or Unicode form. A claim made from a [`CleanPath`] is a claim about a name; holding a process to it is
//! the business of confinement. Percent signs stand for themselves: a path is not a URL.

use std::fmt;

use thiserror::Error;

/// Bytes of a path, before and after cleaning: Linux's `PATH_MAX`.
pub const MAX_BYTES: usize = 4096;

/// Most paths are shorter.
const USUAL_BYTES: usize = 128;

/// An absolute path without `.`, `..`, `~`, double or trailing slashes, and NUL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CleanPath(String);

/// Why a text is not a path that can be cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    /// No text.
    #[error("empty path")]
    Empty,
    /// A NUL byte: the system would read the path only up to there.
    #[error("path with a NUL byte")]
    Nul,
    /// More than [`MAX_BYTES`] bytes.
    #[error("path longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A relative path where there is nothing it could be relative to.
    #[error("relative path without a base directory")]
    Relative,
    /// `~` without a known home directory, or somebody else's (`~bob`).
    #[error("unknown home directory")]
    UnknownHome,
}

impl CleanPath {
    /// Cleans an absolute path. `~` is an ordinary character here.
    ///
    /// # Errors
    /// If the text is no absolute path.
    pub fn absolute(text: &str) -> Result<Self, PathError> {
        check(text)?;
        if !text.starts_with('/') {
            return Err(PathError::Relative);
        }
        Self::from_parts(text.split('/'))
    }

    /// Cleans a path as a shell in `base` would read it: `~` and `~/x` are below `home`, what is not absolute is below
    /// `base`, `..` above the root is the root.
    ///
    /// # Errors
    /// If the text is no path, or one in an unknown home directory.
    pub fn resolve(text: &str, base: &Self, home: Option<&Self>) -> Result<Self, PathError> {
        check(text)?;
        let (start, rest) = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => (home.ok_or(PathError::UnknownHome)?, rest),
            Some(_) => return Err(PathError::UnknownHome),
            None if text.starts_with('/') => return Self::absolute(text),
            None => (base, text),
        };
        Self::from_parts(start.0.split('/').chain(rest.split('/')))
    }

    /// The text, starting with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `root` or below it. Whole components are compared: `/srv/data2` is not within `/srv/data`.
    pub fn is_within(&self, root: &Self) -> bool {
        let root = root.0.strip_suffix('/').unwrap_or(&root.0);
        self.0.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn from_parts<'t>(parts: impl Iterator<Item = &'t str>) -> Result<Self, PathError> {
        let mut clean = String::with_capacity(USUAL_BYTES);
        for part in parts {
            match part {
                "" | "." => {}
                ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
                name => {
                    clean.push('/');
                    clean.push_str(name);
                }
            }
        }
        if clean.is_empty() {
            clean.push('/');
        }
        if clean.len() > MAX_BYTES { Err(PathError::TooLong) } else { Ok(Self(clean)) }
    }
}

impl fmt::Display for CleanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(text: &str) -> Result<(), PathError> {
    if text.is_empty() {
        Err(PathError::Empty)
    } else if text.len() > MAX_BYTES {
        Err(PathError::TooLong)
    } else if text.contains('\0') {
        Err(PathError::Nul)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn absolute(text: &str) -> CleanPath {
        CleanPath::absolute(text).unwrap()
    }

    fn resolve(text: &str) -> Result<String, PathError> {
        let (base, home) = (absolute("/work/project"), absolute("/home/ann"));
        CleanPath::resolve(text, &base, Some(&home)).map(|path| path.to_string())
    }

    #[test]
    fn one_spelling_for_one_place() {
        for (text, clean) in [
            ("a", "/work/project/a"),
            (".", "/work/project"),
            ("./a//b/./c/", "/work/project/a/b/c"),
            ("../x", "/work/x"),
            ("../../../../etc/passwd", "/etc/passwd"),
            ("/", "/"),
            ("//", "/"),
            ("/..", "/"),
            ("/a/../../b", "/b"),
            ("//etc//passwd", "/etc/passwd"),
            ("~", "/home/ann"),
            ("~/", "/home/ann"),
            ("~/.ssh/../.aws", "/home/ann/.aws"),
            ("a/~/b", "/work/project/a/~/b"),
            ("...", "/work/project/..."),
            ("%2e%2e/x", "/work/project/%2e%2e/x"),
            ("a\\..\\b", "/work/project/a\\..\\b"),
            (" /etc", "/work/project/ /etc"),
        ] {
            assert_eq!(resolve(text).as_deref(), Ok(clean), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        assert_eq!(resolve(""), Err(PathError::Empty));
        assert_eq!(resolve("a\0b"), Err(PathError::Nul));
        assert_eq!(resolve("/etc/passwd\0.png"), Err(PathError::Nul));
        assert_eq!(resolve("~bob/x"), Err(PathError::UnknownHome));
        assert_eq!(CleanPath::resolve("~", &absolute("/"), None), Err(PathError::UnknownHome));
        assert_eq!(CleanPath::absolute("a"), Err(PathError::Relative));
        assert_eq!(CleanPath::absolute("~/a"), Err(PathError::Relative));
    }

    #[test]
    fn the_limit_holds_before_and_after() {
        let longest = format!("/{}", "a".repeat(MAX_BYTES - 1));
        assert!(CleanPath::absolute(&longest).is_ok());
        assert_eq!(CleanPath::absolute(&format!("{longest}a")), Err(PathError::TooLong));
        assert_eq!(resolve(&"a".repeat(MAX_BYTES)), Err(PathError::TooLong));
    }

    #[test]
    fn within_means_whole_components() {
        let within = |path: &str, root: &str| absolute(path).is_within(&absolute(root));
        assert!(within("/srv/data", "/srv/data"));
        assert!(within("/srv/data/x", "/srv/data/"));
        assert!(within("/srv", "/"));
        assert!(within("/", "/"));
        assert!(!within("/srv/data2", "/srv/data"));
        assert!(!within("/srv", "/srv/data"));
        assert!(!within("/srv/data/../other", "/srv/data"));
    }

    proptest! {
        #[test]
        fn parts_are_taken_one_after_the_other(text in "(/|a|bc|\\.|\\.\\.|é){0,12}") {
            let mut parts: Vec<&str> = Vec::new();
            for part in text.split('/') {
                match part {
                    "" | "." => {}
                    ".." => drop(parts.pop()),
                    name => parts.push(name),
                }
            }
            let path = CleanPath::absolute(&format!("/{text}")).unwrap();
            prop_assert_eq!(path.as_str(), format!("/{}", parts.join("/")));
        }

        #[test]
        fn clean_stays_clean(text in r"[/.~ab]{1,24}") {
            let base = absolute("/base/dir");
            if let Ok(path) = CleanPath::resolve(&text, &base, Some(&base)) {
                prop_assert_eq!(CleanPath::absolute(path.as_str()).unwrap(), path.clone());
                prop_assert!(path.as_str().split('/').skip(1).all(|part| part != "." && part != ".."));
                prop_assert!(path.is_within(&absolute("/")));
            }
        }

        #[test]
        fn below_a_root_stays_below(inside in r"[a-c]{1,3}(/[a-c]{1,3}){0,4}", root in r"(/[a-c]{1,2}){0,3}") {
            let root = absolute(&format!("/{root}"));
            let path = CleanPath::resolve(&inside, &root, None).unwrap();
            prop_assert!(path.is_within(&root));
            prop_assert!(path == root || !root.is_within(&path));
        }
    }
}
