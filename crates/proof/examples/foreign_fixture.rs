//! Writes a small signed log for the foreign verifiers (see `foreign/README.md`).
//!
//! `foreign_fixture DIR [COUNT]` leaves in DIR: `vkey`, `checkpoint`, `entries` (every entry with a big-endian u16
//! length, one bundle after the other), and `entry` with `entry.tlog-proof` for the entry in the middle.

use std::{collections::BTreeMap, error::Error, fs, path::PathBuf};

use proof::{
    BundleError, Checkpoint, Frontier, Hash, KeyName, Signer, TileBuilder, TileId, TlogProof, decode_hashes,
    encode_bundle, inclusion_proof, leaf_hash,
};

const ORIGIN: &str = "mortise.example/fixture";

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let dir = PathBuf::from(args.next().ok_or("usage: foreign_fixture DIR [COUNT]")?);
    let count: u64 = args.next().map_or(Ok(1000), |count| count.to_string_lossy().parse())?;
    fs::create_dir_all(&dir)?;

    let entries: Vec<_> = (0..count).map(|i| format!("{{\"event\":{i},\"decision\":\"deny\"}}").into_bytes()).collect();
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut frontier = Frontier::new();
    leaves.iter().try_for_each(|leaf| frontier.append(*leaf))?;
    let tiles = tiles(&leaves)?;

    // A fixed seed: this key signs examples only.
    let signer = Signer::from_seed(KeyName::parse(ORIGIN)?, &[1; 32]);
    let note = Checkpoint::new(ORIGIN, frontier.size(), frontier.root())?.sign(&[&signer])?;
    let middle = count / 2;
    let entry = usize::try_from(middle).ok().and_then(|at| entries.get(at)).ok_or("a log of at least one entry")?;
    let proof = TlogProof::new(middle, inclusion_proof(middle, count, &tiles)?, note.clone())?;
    proof.verify(entry, &signer.verifier())?;

    fs::write(dir.join("vkey"), signer.verifier().to_vkey() + "\n")?;
    fs::write(dir.join("checkpoint"), note.format())?;
    fs::write(
        dir.join("entries"),
        entries.chunks(256).map(encode_bundle).collect::<Result<Vec<_>, BundleError>>()?.concat(),
    )?;
    fs::write(dir.join("entry"), entry)?;
    fs::write(dir.join("entry.tlog-proof"), proof.format())?;
    Ok(())
}

fn tiles(leaves: &[Hash]) -> Result<BTreeMap<TileId, Vec<Hash>>, Box<dyn Error>> {
    let writes = TileBuilder::new().append(leaves)?;
    writes.into_iter().map(|write| Ok((write.tile, decode_hashes(write.tile, &write.bytes)?))).collect()
}
