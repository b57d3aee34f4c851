//! Audit bundles: part of a log for somebody who has no Mortise, or trusts none.
//!
//! ```text
//! VERIFY.md               how to check it, with other people's programs
//! verify.go               one of them: Go's own transparency log code
//! manifest.json           what was asked for, what is in here, the digest of every other file
//! origin, vkey            which log, and the key its checkpoint is signed with
//! checkpoint              the signed size and root
//! witnesses/<key id>      what each witness cosigned last
//! pruned                  where records were pruned: what stays known of them, as a record in here vouches
//! records.jsonl           the records' exact bytes, a line each
//! records.index           for each of these lines: its index, and `selected` or `supporting`
//! proofs/<index>.tlog-proof   that the record is in the log, for each
//! payloads.jsonl          what became of everything the selected records commit to, and because of which record
//! payloads/<index>-<name>     what was disclosed: its SHA-256 is the digest in the record
//! ```
//!
//! Supporting records are those by which absent payloads are judged: what retention was in force, what was removed, erased
//! or lost, and which keys signed.

mod check;
mod earlier;
mod manifest;
mod write;

#[cfg(test)]
mod forged;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vouched;

pub use check::{BundleReport, Cosignature, Problem, verify_bundle};
pub use manifest::{Manifest, Selection};
pub use write::{BundleError, Disclose, Draft, write_bundle};

/// What a bundle is called where formats of exports are named.
pub const NAME: &str = "audit-bundle";

/// What tells a bundle from a log.
pub const MANIFEST: &str = "manifest.json";

/// What stays known of records that are gone.
const PRUNED: &str = "pruned";

const VERIFY_MD: &str = include_str!("VERIFY.md");
/// The program that the tests hold against every proof, too.
const VERIFY_GO: &str = include_str!("../../../proof/foreign/go/main.go");

use vocab::event::Kind;

/// Whether a record is needed to judge others by.
const fn is_supporting(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::GatewayStarted
            | Kind::ConfigChanged
            | Kind::KeyRotated
            | Kind::StorePruned
            | Kind::StoreShredded
            | Kind::StoreRecovered
            | Kind::StoreHeld
            | Kind::StoreReleased
    )
}

/// SHA-256 as the manifest has it.
fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes)))
}
