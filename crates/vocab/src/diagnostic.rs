//! One shape for every complaint about what a user wrote, whichever parser found it.

use crate::shown::{line, name, visible};
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Not accepted.
    Error,
}

/// What is wrong, where, and what to write instead.
///
/// The message is a lower-case fragment with user input in backticks; advice is in `help`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code such as `policy/unknown-annotation`; `mortise explain` knows it.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// File, relative to the project; empty when there is none.
    pub file: String,
    /// Byte range in the file.
    pub span: Option<(usize, usize)>,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
    /// What was found.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Near matches of a name that is not known, best first.
    pub candidates: Vec<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn error(code: &'static str, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            file: file.into(),
            span: None,
            line: 0,
            column: 0,
            message: message.into(),
            help: None,
            candidates: Vec::new(),
        }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, file, message) }
    }

    /// A remark without a place.
    #[must_use]
    pub fn info(code: &'static str, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Info, ..Self::error(code, file, message) }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds near matches.
    #[must_use]
    pub fn with_candidates(mut self, candidates: Vec<String>) -> Self {
        self.candidates = candidates;
        self
    }

    /// Adds the place: a byte range of `source`. Line and column are computed.
    #[must_use]
    pub fn at(mut self, source: &str, span: (usize, usize)) -> Self {
        let before = source.get(..span.0.min(source.len())).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |text| text.chars().count()) + 1;
        self.line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX);
        self.column = u32::try_from(column).unwrap_or(u32::MAX);
        self.span = Some(span);
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.severity {
            Severity::Info => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(f, "{level}[{}]: {}", self.code, visible(&self.message))?;
        if !self.file.is_empty() {
            write!(f, "  --> {}", line(&self.file))?;
            if self.line > 0 {
                write!(f, ":{}:{}", self.line, self.column)?;
            }
            writeln!(f)?;
        }
        if !self.candidates.is_empty() {
            let names: Vec<String> = self.candidates.iter().map(|candidate| format!("`{}`", name(candidate))).collect();
            writeln!(f, "  did you mean {}?", names.join(" or "))?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "  help: {}", visible(help))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_counts_lines_and_characters_from_one() {
        let source = "a = 1\nbé = 2\n";
        let place = source.find('2').unwrap();
        let diagnostic = Diagnostic::error("config/x", "mortise.toml", "`2` is odd").at(source, (place, place + 1));
        assert_eq!((diagnostic.line, diagnostic.column), (2, 6));
    }
}
