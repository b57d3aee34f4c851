//! C2SP tlog-cosignature, version 1: a witness's word that, at a time, a checkpoint was the largest it had seen of a log
//! that had only grown.

use super::key::KeyType;
use super::{KeyError, KeyId, KeyName, Note, NoteSignature, Signer, Verifier};
use zeroize::Zeroizing;

/// Bytes of the time before the signature.
const TIME_BYTES: usize = 8;

/// A witness's signing key. It signs nothing but cosignatures: the same bytes must not be a log's key.
pub struct Cosigner(Signer);

/// A witness one has decided to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureVerifier(Verifier);

impl Cosigner {
    /// A cosigner from 32 bytes of good randomness, which the caller draws and wipes.
    #[must_use]
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        Self(Signer::of_type(KeyType::Cosignature, name, seed))
    }

    /// Reads a signing key `PRIVATE+KEY+name+hash+base64` of a cosigner.
    pub fn from_skey(skey: &str) -> Result<Self, KeyError> {
        Signer::of_type_from_skey(KeyType::Cosignature, skey).map(Self)
    }

    /// The signing key as text; to be stored where nobody else reads it.
    #[must_use]
    pub fn to_skey(&self) -> Zeroizing<String> {
        self.0.to_skey()
    }

    /// The key that others trust.
    #[must_use]
    pub fn verifier(&self) -> CosignatureVerifier {
        CosignatureVerifier(self.0.verifier())
    }

    /// The signature line for a checkpoint, whose note has this text. `time` is in seconds since the epoch. The caller
    /// answers for having seen the log grow to it.
    #[must_use]
    pub fn cosign(&self, text: &str, time: u64) -> NoteSignature {
        let mut signature = self.0.sign(&message(text, time));
        signature.signature.splice(..0, time.to_be_bytes());
        signature
    }
}

impl CosignatureVerifier {
    /// Reads a verifying key `name+hash+base64` of a cosigner.
    pub fn from_vkey(vkey: &str) -> Result<Self, KeyError> {
        Verifier::of_type(KeyType::Cosignature, vkey).map(Self)
    }

    /// The verifying key as text.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        self.0.to_vkey()
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        self.0.name()
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.0.id()
    }

    /// When this witness cosigned the note, in seconds since the epoch; the latest time, where it did so more than once.
    /// `None` without a cosignature of its own that is good.
    #[must_use]
    pub fn cosigned(&self, note: &Note) -> Option<u64> {
        note.signatures().iter().filter_map(|signature| self.accepts(note.text(), signature)).max()
    }

    /// The time of a cosignature, if it is this witness's over `text`.
    #[must_use]
    pub fn accepts(&self, text: &str, signature: &NoteSignature) -> Option<u64> {
        let (time, rest) =
            signature.signature.split_first_chunk::<TIME_BYTES>().filter(|_| self.0.is_named_by(signature))?;
        let time = u64::from_be_bytes(*time);
        let plain = NoteSignature { signature: rest.to_vec(), ..signature.clone() };
        (time <= i64::MAX as u64 && self.0.accepts(&message(text, time), &plain)).then_some(time)
    }
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, which does not say the keys.
    const NOTE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa \
        Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 \
        jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn cosigner(seed: u8) -> Cosigner {
        Cosigner::from_seed(KeyName::parse("witness.example/w").unwrap(), &[seed; 32])
    }

    fn note() -> Note {
        let signer = Signer::from_seed(KeyName::parse("log.example").unwrap(), &[1; 32]);
        Note::sign("log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", &[&signer]).unwrap()
    }

    #[test]
    fn a_cosignature_is_found_among_others_with_its_time() {
        let (witness, other) = (cosigner(2), cosigner(3));
        let text = note().text().to_owned();
        let signed = note().with_signature(other.cosign(&text, 9)).unwrap();
        assert_eq!(witness.verifier().cosigned(&signed), None);
        let signed = signed.with_signature(witness.cosign(&text, 1_679_315_147)).unwrap();
        let read = Note::parse(signed.format().as_bytes()).unwrap();
        assert_eq!(witness.verifier().cosigned(&read), Some(1_679_315_147));
        assert_eq!(other.verifier().cosigned(&read), Some(9));
    }

    #[test]
    fn nothing_changed_is_accepted() {
        let witness = cosigner(2);
        let text = note().text().to_owned();
        let good = witness.cosign(&text, 7);
        let verifier = witness.verifier();
        assert_eq!(verifier.accepts(&text, &good), Some(7));
        assert_eq!(verifier.accepts(&text.replacen("log", "lag", 1), &good), None);
        for at in 0..good.signature.len() {
            let mut changed = good.clone();
            changed.signature[at] ^= 1;
            assert_eq!(verifier.accepts(&text, &changed), None, "{at}");
        }
        for length in 0..good.signature.len() {
            let short = NoteSignature { signature: good.signature[..length].to_vec(), ..good.clone() };
            assert_eq!(verifier.accepts(&text, &short), None, "{length}");
        }
    }

    #[test]
    fn keys_of_logs_and_of_witnesses_are_told_apart() {
        let witness = cosigner(2).verifier();
        let log = Signer::from_seed(witness.name().clone(), &[2; 32]).verifier();
        assert_eq!(CosignatureVerifier::from_vkey(&witness.to_vkey()), Ok(witness.clone()));
        assert_eq!(CosignatureVerifier::from_vkey(&log.to_vkey()), Err(KeyError::Algorithm { found: 1, wanted: 4 }));
        let wrong = Verifier::from_vkey(&witness.to_vkey()).unwrap_err();
        assert_eq!(wrong.to_string(), "the key is of type 4 (a witness's), and one of type 1 (a log's) is wanted here");
        assert_ne!(witness.0.id(), log.id());
        let skey = cosigner(2).to_skey();
        assert_eq!(Cosigner::from_skey(&skey).unwrap().verifier(), witness);
        assert!(matches!(Signer::from_skey(&skey), Err(KeyError::Algorithm { found: 4, .. })));
    }

    #[test]
    fn a_cosignature_has_the_form_of_the_specification() {
        let example = Note::parse(NOTE.as_bytes()).unwrap();
        let found = &example.signatures()[1];
        let ours = cosigner(2).cosign(example.text(), 1_679_315_147);
        assert_eq!(ours.bytes().len(), found.bytes().len());
        assert_eq!(ours.bytes()[..TIME_BYTES], found.bytes()[..TIME_BYTES]);
        let message = message(example.text(), 1_679_315_147);
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[..3], ["cosignature/v1", "time 1679315147", "example.com/behind-the-sofa"]);
        assert!(message.ends_with("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"));
    }
}
