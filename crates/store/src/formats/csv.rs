//! Columns for a spreadsheet (RFC 4180).
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tabulator or a line break for a formula, and names
//! of tools and users are other people's text. Such a text gets an apostrophe in front, which says "this is text";
//! whatever holds a comma, a quote or a line break is quoted. Numbers are written by us and stay as they are.

use super::columns::{COLUMNS, Cell};
use super::{Encoder, Format, Head, Selection, time};
use crate::read::Record;
use std::io::Write as _;
use vocab::Event;

pub(super) const FORMAT: Format = Format {
    name: "csv",
    says: "one row an event, for spreadsheets",
    appends: true,
    encoder: |head: &Head| Box::new(Rows { selection: head.selection.clone() }),
};

/// What a formula begins with, the full-width forms included that some programs take for the narrow ones.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

struct Rows {
    selection: Selection,
}

impl Encoder for Rows {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(b"index,time");
        for column in COLUMNS {
            out.push(b',');
            out.extend_from_slice(column.name.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn take(&mut self, record: &Record, event: Option<&Event>, out: &mut Vec<u8>) -> Result<u64, String> {
        let Some(event) = event.filter(|event| self.selection.admits(event)) else { return Ok(0) };
        let _ = write!(out, "{},{}", record.index, time::rfc3339(event.t));
        for column in COLUMNS {
            out.push(b',');
            match (column.cell)(event) {
                None => {}
                Some(Cell::Text(text)) => write_text(&text, out),
                Some(Cell::Number(number)) => drop(write!(out, "{number}")),
                Some(Cell::Flag(flag)) => drop(write!(out, "{flag}")),
            }
        }
        out.extend_from_slice(b"\r\n");
        Ok(1)
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let formula = text.starts_with(FORMULA);
    let quoted = formula || text.contains([',', '"', '\r', '\n']);
    if quoted {
        out.push(b'"');
    }
    if formula {
        out.push(b'\'');
    }
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    if quoted {
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_text(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for start in FORMULA {
            let text = written(&format!("{start}cmd|' /C calc'!A0"));
            assert!(text.starts_with("\"'"), "{text}");
        }
        assert_eq!(written("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
        assert_eq!(written("a,b"), "\"a,b\"");
        assert_eq!(written("a\r\n=b"), "\"a\r\n=b\"");
        assert_eq!(written("close_ticket"), "close_ticket");
    }
}
