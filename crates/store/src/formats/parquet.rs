//! Columns for a data lake, and each record's exact bytes in `leaf`, so that a row can still be held against a proof.
//!
//! The index at the end of a Parquet file is over all of it, so an interrupted file is begun anew.

use super::columns::{COLUMNS, Cell, Type};
use super::{Encoder, Format, Head, Selection};
use crate::read::Record;
use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type as Schema;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use vocab::Event;

pub(super) const FORMAT: Format = Format {
    name: "parquet",
    says: "Parquet: the columns, `index` and `leaf`",
    appends: false,
    encoder: |head: &Head| Box::new(Rows::new(head.selection.clone())),
};

/// Rows of a group at most, and bytes of records: what is held in memory.
const GROUP_ROWS: usize = 65_536;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

struct Rows {
    selection: Selection,
    index: Vec<i64>,
    leaf: Vec<ByteArray>,
    columns: Vec<Held>,
    bytes: usize,
    writer: Option<SerializedFileWriter<Sink>>,
    sink: Sink,
}

/// Values of a column in the group, and which rows have one.
struct Held {
    present: Vec<i16>,
    values: Values,
}

enum Values {
    Texts(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Flags(Vec<bool>),
}

/// What the file writer has written and nobody has taken yet.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Held {
    fn of(kind: Type) -> Self {
        let values = match kind {
            Type::Text => Values::Texts(Vec::new()),
            Type::Number => Values::Numbers(Vec::new()),
            Type::Flag => Values::Flags(Vec::new()),
        };
        Self { present: Vec::new(), values }
    }

    fn push(&mut self, cell: Option<Cell<'_>>) {
        self.present.push(i16::from(cell.is_some()));
        match (cell, &mut self.values) {
            (Some(Cell::Text(text)), Values::Texts(texts)) => {
                texts.push(ByteArray::from(text.into_owned().into_bytes()))
            }
            (Some(Cell::Number(number)), Values::Numbers(numbers)) => numbers.push(number),
            (Some(Cell::Flag(flag)), Values::Flags(flags)) => flags.push(flag),
            _ => {}
        }
    }
}

impl Rows {
    fn new(selection: Selection) -> Self {
        let mut rows = Self {
            selection,
            index: Vec::new(),
            leaf: Vec::new(),
            columns: Vec::new(),
            bytes: 0,
            writer: None,
            sink: Sink::default(),
        };
        rows.clear();
        rows
    }

    fn clear(&mut self) {
        self.index.clear();
        self.leaf.clear();
        self.bytes = 0;
        self.columns = COLUMNS.iter().map(|column| Held::of(column.kind)).collect();
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let Some(writer) = self.writer.as_mut().filter(|_| !self.index.is_empty()) else { return Ok(()) };
        let mut group = writer.next_row_group()?;
        let mut held = self.columns.iter();
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            match (number, column.untyped()) {
                (0, ColumnWriter::Int64ColumnWriter(writer)) => drop(writer.write_batch(&self.index, None, None)?),
                (1, ColumnWriter::ByteArrayColumnWriter(writer)) => drop(writer.write_batch(&self.leaf, None, None)?),
                (_, writer) => {
                    let Some(Held { present, values }) = held.next() else { break };
                    match (writer, values) {
                        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Texts(texts)) => {
                            writer.write_batch(texts, Some(present), None)?;
                        }
                        (ColumnWriter::Int64ColumnWriter(writer), Values::Numbers(numbers)) => {
                            writer.write_batch(numbers, Some(present), None)?;
                        }
                        (ColumnWriter::BoolColumnWriter(writer), Values::Flags(flags)) => {
                            writer.write_batch(flags, Some(present), None)?;
                        }
                        _ => return Err(ParquetError::General("a column has values of another kind".to_owned())),
                    }
                }
            }
            column.close()?;
            number += 1;
        }
        group.close()?;
        self.clear();
        Ok(())
    }
}

impl Encoder for Rows {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let properties =
            WriterProperties::builder().set_created_by(format!("mortise {}", vocab::MORTISE_VERSION)).build();
        let schema = schema().map_err(|error| error.to_string())?;
        let writer = SerializedFileWriter::new(self.sink.clone(), Arc::new(schema), Arc::new(properties));
        self.writer = Some(writer.map_err(|error| error.to_string())?);
        out.extend(self.sink.take());
        Ok(())
    }

    fn take(&mut self, record: &Record, event: Option<&Event>, out: &mut Vec<u8>) -> Result<u64, String> {
        let Some(event) = event.filter(|event| self.selection.admits(event)) else { return Ok(0) };
        self.index.push(i64::try_from(record.index).unwrap_or(i64::MAX));
        self.leaf.push(ByteArray::from(record.bytes.clone()));
        self.bytes += record.bytes.len();
        for (held, column) in self.columns.iter_mut().zip(COLUMNS) {
            held.push((column.cell)(event));
        }
        if self.index.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group().map_err(|error| error.to_string())?;
            out.extend(self.sink.take());
        }
        Ok(1)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<u64, String> {
        self.write_group().map_err(|error| error.to_string())?;
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|error| error.to_string())?;
        }
        out.extend(self.sink.take());
        Ok(0)
    }
}

fn schema() -> Result<Schema, ParquetError> {
    let column = |name: &str, kind: Physical, logical: Option<LogicalType>, repetition: Repetition| {
        let built = Schema::primitive_type_builder(name, kind).with_logical_type(logical).with_repetition(repetition);
        built.build().map(Arc::new)
    };
    let mut fields = vec![
        column("index", Physical::INT64, None, Repetition::REQUIRED)?,
        column("leaf", Physical::BYTE_ARRAY, None, Repetition::REQUIRED)?,
    ];
    for known in COLUMNS {
        let (kind, logical) = match known.kind {
            Type::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Type::Number => (Physical::INT64, None),
            Type::Flag => (Physical::BOOLEAN, None),
        };
        fields.push(column(known.name, kind, logical, Repetition::OPTIONAL)?);
    }
    Schema::group_type_builder("events").with_fields(fields).build()
}

#[cfg(test)]
mod tests {
    use super::super::{Job, Selection, named};
    use crate::fixture::closed;
    use std::path::Path;
    use std::process::Command;

    fn written(dir: &Path, records: u64) -> std::path::PathBuf {
        let (log, file) = (dir.join("log"), dir.join("events.parquet"));
        closed(&log, records);
        let format = named("parquet").unwrap();
        let job = Job { log, file: file.clone(), format, selection: Selection::default(), with_index: false };
        assert_eq!(job.run(false, |_| Ok(())).unwrap().rows, records);
        file
    }

    #[test]
    fn rows_hold_the_records_and_their_columns() {
        use ::parquet::file::reader::FileReader;
        use ::parquet::file::serialized_reader::SerializedFileReader;
        use ::parquet::record::RowAccessor;
        let dir = tempfile::tempdir().unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(written(dir.path(), 30)).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        for (number, row) in (0..30).zip(rows) {
            assert_eq!(row.get_long(0).unwrap(), number);
            assert_eq!(row.get_bytes(1).unwrap().data(), crate::fixture::record(number.try_into().unwrap(), 0));
            assert_eq!(row.get_string(3).unwrap(), "gateway.started");
        }
    }

    #[test]
    #[ignore = "needs `cargo xtask setup`; `cargo xtask test --full` runs it"]
    fn pyarrow_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = written(dir.path(), 30);
        let python = Path::new(&std::env::var_os("MORTISE_TEST_PARTS").unwrap()).join("python/bin/python");
        let script = "import sys, json, pyarrow.parquet as p\nt = p.read_table(sys.argv[1])\nassert t.num_rows == 30\n\
                      for i, leaf, kind, when in zip(*(t[c].to_pylist() for c in ('index', 'leaf', 'type', 't'))):\n    \
                      event = json.loads(leaf)\n    assert (event['type'], event['t']) == (kind, when)\n    \
                      assert event['id'] == 'event-%d' % i\nassert set(t['agent'].to_pylist()) == {None}";
        let output = Command::new(python).args(["-c", script]).arg(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
