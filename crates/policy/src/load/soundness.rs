//! What a set of rules was checked against, as one digest: what was found sound need not be checked again.
//!
//! Two checks cost as much as all tools times all rules: Cedar's strict validator, and the canary guards by which the
//! entity stores prove their groups. Both are pure functions of this crate's code and of what is digested here: the
//! generated schema, the policy files, and the entities with their groups. Equal digest, equal code: equal answer. So a
//! caller that keeps the digest of a set that passed, together with which build of Mortise checked it, and finds both
//! again, may have these two checks left out; everything else of a load is done each time. Whatever differs - one byte
//! of a file, a tool's schema, an agent's class, the build - gives another digest and both checks.

use crate::bundle::digest;
use crate::schema::Actions;
use crate::shapes::{Shapes, Source};
use vocab::id::Digest;

/// The digest over everything that the validator and the canary guards read, the schema by digest.
pub(crate) fn soundness(schema: &Digest, sources: &[&Source], shapes: &Shapes, actions: &Actions) -> Digest {
    let mut parts: Vec<String> = vec!["mortise-sound-1".to_owned(), schema.to_string()];
    // Debug output of plain data: every field, in a fixed order; a new field changes the digest, as it must. Each kind
    // begins with its number, so that nothing of one kind is read as one of the next.
    parts.push(sources.len().to_string());
    parts.extend(sources.iter().flat_map(|source| [source.file.to_string(), source.text.to_string()]));
    parts.push(format!("{:?}", shapes.agents));
    parts.push(format!("{:?}", shapes.servers));
    parts.push(format!("{:?}", shapes.users));
    parts.extend(actions.values().map(|action| format!("{:?} {:?}", action.id, action.groups)));
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    digest(&parts)
}
