//! Forgetting what is not in the log any more: the words with it, so that they can be found in no page of the file.

use super::docs::{self, CHUNK};
use super::error::{Step, Stop};
use super::schema::{State, signed};
use rusqlite::{Connection, TransactionBehavior};

/// Removes every trace of the records before `before`, and of the calls that began there.
pub(super) fn forget(conn: &mut Connection, before: u64) -> Step<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut state = State::read(&tx)?;
    let before = before.min(state.next);
    if before <= state.kept {
        return Ok(());
    }
    sets(&tx, before)?;
    tx.execute("DELETE FROM call WHERE first < ?1", [signed(before)])?;
    tx.execute("DELETE FROM mark WHERE next < ?1", [signed(before)])?;
    tx.execute("DELETE FROM time WHERE block < ?1", [signed(before / super::build::BLOCK)])?;
    terms(&tx)?;
    state.kept = before;
    state.write(&tx)?;
    tx.commit()?;
    Ok(())
}

/// A chunk is dropped, or cut.
fn sets(conn: &Connection, before: u64) -> Step<()> {
    let (chunk, cut) = docs::split(before);
    let mut select = conn.prepare("SELECT key FROM posting")?;
    let keys = select.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    for key in keys {
        let of = docs::chunk_of(key);
        if of < chunk {
            conn.prepare_cached("DELETE FROM posting WHERE key = ?1")?.execute([key])?;
        } else if of == chunk {
            let mut set = docs::read(conn, key)?;
            if set.remove_range(..cut) > 0 {
                docs::write(conn, key, &set)?;
            }
        }
    }
    debug_assert!(u64::from(cut) < CHUNK);
    Ok(())
}

/// Values that nothing has any more, and their words.
fn terms(conn: &Connection) -> Step<()> {
    let mut used = std::collections::HashSet::new();
    let mut select = conn.prepare("SELECT key FROM posting")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        used.insert(docs::term_of(row.get(0)?));
    }
    let mut select = conn.prepare("SELECT id FROM term")?;
    let all = select.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    for term in all.into_iter().filter(|term| !used.contains(term)) {
        conn.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([term])?;
        conn.prepare_cached("DELETE FROM term WHERE id = ?1")?.execute([term])?;
    }
    // A deleted row of the words is only marked as such: merging all of them leaves it out.
    conn.execute("INSERT INTO words (words) VALUES ('optimize')", []).map_err(Stop::from)?;
    Ok(())
}
