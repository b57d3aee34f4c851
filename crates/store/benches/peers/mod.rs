//! What else one could keep records in, on the same disk: three embedded databases, each used as its makers say for records
//! that have to be durable, and each given the same batches.
//!
//! | | durable because of |
//! |---|---|
//! | SQLite | `journal_mode = WAL`, `synchronous = FULL`, a transaction for each batch |
//! | redb | `Durability::Immediate`, a transaction for each batch |
//! | fjall | a write batch with `PersistMode::SyncData`; no compression, as nothing else here compresses |

use super::measured::Failure;
use redb::ReadableDatabase;
use std::path::Path;

/// One of them: a table from a growing number to a record.
pub trait Peer: Send + Sized + 'static {
    /// Name and version.
    fn name() -> String;

    fn open(dir: &Path) -> Result<Self, Failure>;

    /// Appends; durable when it returns.
    fn append<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure>;

    /// Shows each record, in order.
    fn each(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<(), Failure>;
}

/// The version of a package, as this was built.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../../../Cargo.lock");
    let found = lock.split("[[package]]").find_map(|found| {
        let rest = found.trim_start().strip_prefix(&format!("name = \"{package}\"\nversion = \""))?;
        rest.split('"').next()
    });
    found.unwrap_or("?")
}

pub struct Sqlite {
    connection: rusqlite::Connection,
    next: i64,
}

impl Peer for Sqlite {
    fn name() -> String {
        format!("SQLite {}", rusqlite::version())
    }

    fn open(dir: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(dir)?;
        let connection = rusqlite::Connection::open(dir.join("records.sqlite"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE records (number INTEGER PRIMARY KEY, record BLOB NOT NULL);",
        )?;
        Ok(Self { connection, next: 0 })
    }

    fn append<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO records (number, record) VALUES (?1, ?2)")?;
            for record in records {
                insert.execute((self.next, record))?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }

    fn each(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut select = self.connection.prepare("SELECT record FROM records ORDER BY number")?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            take(row.get_ref(0)?.as_blob()?);
        }
        Ok(())
    }
}

const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("records");

pub struct Redb {
    database: redb::Database,
    next: u64,
}

impl Peer for Redb {
    fn name() -> String {
        format!("redb {}", locked("redb"))
    }

    fn open(dir: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { database: redb::Database::create(dir.join("records.redb"))?, next: 0 })
    }

    fn append<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(redb::Durability::Immediate)?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for record in records {
                table.insert(self.next, record)?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }

    fn each(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        for entry in table.range::<u64>(..)? {
            take(entry?.1.value());
        }
        Ok(())
    }
}

pub struct Fjall {
    database: fjall::Database,
    records: fjall::Keyspace,
    next: u64,
}

impl Peer for Fjall {
    fn name() -> String {
        format!("fjall {}", locked("fjall"))
    }

    fn open(dir: &Path) -> Result<Self, Failure> {
        let database = fjall::Database::builder(dir).open()?;
        let records = database.keyspace("records", fjall::KeyspaceCreateOptions::default)?;
        Ok(Self { database, records, next: 0 })
    }

    fn append<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure> {
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncData));
        for record in records {
            batch.insert(&self.records, self.next.to_be_bytes(), record);
            self.next += 1;
        }
        Ok(batch.commit()?)
    }

    fn each(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        for entry in self.records.iter() {
            take(&entry.value()?);
        }
        Ok(())
    }
}
