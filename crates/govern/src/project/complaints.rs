//! Collects what is wrong with one file.

use std::ops::Range;
use vocab::Diagnostic;

/// The complaints about one file, with the file at hand to compute places.
pub(crate) struct Complaints<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Diagnostic>,
}

impl<'a> Complaints<'a> {
    pub(crate) const fn about(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    pub(crate) fn error(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>) {
        self.add(Diagnostic::error(code, self.file, message), span);
    }

    /// As [`Self::error`], with advice.
    pub(crate) fn error_help(&mut self, code: &'static str, span: Range<usize>, message: String, help: &str) {
        self.add(Diagnostic::error(code, self.file, message).with_help(help), span);
    }

    /// Places a complaint in the file.
    pub(crate) fn add(&mut self, complaint: Diagnostic, span: Range<usize>) {
        let place = (span.start, span.end);
        self.found.push(if span == NOWHERE { complaint } else { complaint.at(self.text, place) });
    }

    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }
}

/// For complaints about a file as a whole.
pub(crate) const NOWHERE: Range<usize> = 0..0;
