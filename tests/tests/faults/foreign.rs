//! Verifiers written by others: the Go project's transparency log code takes our proofs, pymerkle computes our root.

use crate::session::recorded;
use harness::{Output, Project, part, project::finish, workspace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Entries of a full bundle.
const BUNDLE: u64 = 256;

#[test]
fn go_takes_our_proofs_and_nothing_else() {
    let (project, checker) = (recorded(3), checker());
    let dir = project.root().join("proof");
    fs::create_dir(&dir).expect("a folder");
    let vkey = project.log().join("vkey");
    for index in [0, 7, project.events().len() - 1] {
        let (leaf, proof) = prove(&project, index, &dir);
        let check = |leaf: &[u8], proof: &str| {
            fs::write(dir.join("leaf"), leaf).expect("a leaf");
            fs::write(dir.join("proof"), proof).expect("a proof");
            finish(Command::new(&checker).arg(&vkey).args([dir.join("leaf"), dir.join("proof")]))
        };
        let good = check(&leaf, &proof);
        assert_eq!(good.code, 0, "{index}: {good:?}");
        assert!(good.stdout.starts_with(&format!("OK: entry {index} of ")), "{good:?}");

        let mut altered = leaf.clone();
        altered[leaf.len() / 2] ^= 1;
        refused(&check(&altered, &proof), "inclusion");
        let moved = proof.replacen(&format!("index {index}\n"), &format!("index {}\n", index ^ 1), 1);
        refused(&check(&leaf, &moved), "inclusion");
        let (head, checkpoint) = proof.split_once("\n\n").expect("a checkpoint");
        let mut lines: Vec<String> = checkpoint.split('\n').map(ToOwned::to_owned).collect();
        lines[1] = (lines[1].parse::<u64>().expect("a size") + 1).to_string();
        refused(&check(&leaf, &format!("{head}\n\n{}", lines.join("\n"))), "signature");
    }
}

#[test]
fn pymerkle_computes_our_root_from_the_records() {
    // More than one bundle: a full one and the beginning of the next.
    let project = recorded(80);
    let entries = entries(&project);
    let file = project.root().join("entries");
    let checkpoint = project.log().join("checkpoint");
    let check = |entries: &[u8]| {
        fs::write(&file, entries).expect("entries");
        let script = workspace().join("crates/proof/foreign/pymerkle/check.py");
        finish(Command::new(part("python/bin/python")).arg("-B").arg(script).arg(&file).arg(&checkpoint))
    };
    let good = check(&entries);
    assert_eq!(good.code, 0, "{good:?}");
    let size = project.events().len();
    assert!(size > 256, "{size}");
    assert_eq!(good.stdout, format!("OK: {size} entries give the root of mortise.local/faults\n"));
    let mut altered = entries.clone();
    altered[entries.len() / 2] ^= 1;
    refused(&check(&altered), "the root of the entries is not that of the checkpoint");
    let first = 2 + usize::from(u16::from_be_bytes([entries[0], entries[1]]));
    refused(&check(&entries[first..]), &format!("the checkpoint says {size} entries"));
    // What the bundles hold is what `trace` shows.
    let shown: Value = serde_json::from_slice(&entries[2..first]).expect("an event");
    assert_eq!(shown["id"], project.events()[0]["id"]);
}

pub fn refused(output: &Output, why: &str) {
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.starts_with("REFUSED: ") && output.stderr.contains(why), "{why}: {output:?}");
}

pub fn prove(project: &Project, index: usize, dir: &Path) -> (Vec<u8>, String) {
    let leaf = dir.join("exported");
    let proof = project.ok(&["trace", "prove", &index.to_string(), "--leaf", &leaf.display().to_string()]);
    (fs::read(leaf).expect("a leaf"), proof)
}

/// The entry bundles up to the checkpoint's size, one after the other, as `trace export` writes them.
pub fn entries(project: &Project) -> Vec<u8> {
    let exported = project.root().join("exported-log");
    let said = project.ok(&["trace", "export", &exported.display().to_string()]);
    assert_eq!(fs::read(exported.join("checkpoint")).ok(), fs::read(project.log().join("checkpoint")).ok());
    let checkpoint = fs::read_to_string(exported.join("checkpoint")).expect("a checkpoint");
    let size: u64 = checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    assert!(said.starts_with(&format!("{size} events written to")), "{said}");
    let again = project.run(&["trace", "export", &exported.display().to_string()]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.stderr.contains("is not empty"), "{again:?}");
    let mut entries = Vec::new();
    for bundle in 0..size.div_ceil(BUNDLE) {
        let rest = size - bundle * BUNDLE;
        let name = if rest < BUNDLE { format!("{bundle:03}.p/{rest}") } else { format!("{bundle:03}") };
        entries.extend(fs::read(exported.join("tile/entries").join(name)).expect("a bundle"));
    }
    entries
}

/// The Go program, built once: from its own source and the toolchain's copy of `golang.org/x/mod`, without a network.
pub fn checker() -> PathBuf {
    let module = part("go/golang.org/x/mod");
    let parts = module.ancestors().nth(4).expect("the parts' folder").to_owned();
    let source = workspace().join("crates/proof/foreign/go");
    let work = tempfile::tempdir().expect("a folder");
    for file in ["go.mod", "main.go"] {
        fs::copy(source.join(file), work.path().join(file)).expect("a copied file");
    }
    std::os::unix::fs::symlink(&module, work.path().join("xmod")).expect("a link");
    let built = parts.join("checkproof");
    let unfinished = work.path().join("checkproof");
    let output = finish(
        Command::new(part("python/bin/go"))
            .args(["build", "-o"])
            .arg(&unfinished)
            .arg(".")
            .current_dir(work.path())
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPATH", parts.join("gopath"))
            .env("GOCACHE", parts.join("gocache")),
    );
    assert_eq!(output.code, 0, "{output:?}");
    fs::copy(&unfinished, &built).expect("the built program");
    built
}
