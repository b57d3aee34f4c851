//! Documents in a folder, each under the digest that its record has of it.

use enforce::{InputKeeper, Inputs, Keeping, Kept};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use vocab::Call;
use vocab::event::{Payload, PayloadClass};

/// A store for tests: nothing is encrypted, the salt is a counter.
pub struct Folder {
    dir: PathBuf,
    kept: AtomicU64,
}

impl Folder {
    pub fn at(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        Self { dir: dir.to_owned(), kept: AtomicU64::new(0) }
    }

    /// The files kept, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn digest(salted: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(salted)))
}

impl InputKeeper for Folder {
    fn keep(&self, _call: &Call, input: &dyn Fn() -> Vec<u8>) -> Keeping {
        let bytes = input();
        let mut salted = self.kept.fetch_add(1, Ordering::SeqCst).to_be_bytes().to_vec();
        salted.extend_from_slice(&bytes);
        let digest = digest(&salted);
        std::fs::write(self.dir.join(&digest), salted).unwrap();
        let bytes = u64::try_from(bytes.len()).unwrap();
        let class = PayloadClass::DecisionInput;
        let payload = Payload { bytes, class, digest: digest.into(), key: "k".into(), name: "input".into() };
        Keeping { payloads: vec![payload], writing: None }
    }
}

impl Inputs for Folder {
    fn input(&self, payload: &Payload<'_>, _t_us: i64) -> Kept {
        match std::fs::read(self.dir.join(&*payload.digest)) {
            Ok(salted) if digest(&salted) == payload.digest => Kept::Whole(salted[8..].to_vec()),
            Ok(_) => Kept::Altered,
            Err(_) => Kept::Gone,
        }
    }
}
