//! C2SP tlog-checkpoint: origin, size and root of a log, to be signed as a note.

use crate::{
    hash::{EMPTY_ROOT, Hash},
    note::{Note, NoteError, Signer, Verifier, VerifyNoteError},
    text,
    tree::MAX_TREE_SIZE,
};

/// Most extension lines read or written. The specification advises against any; Mortise writes none.
pub const MAX_EXTENSION_LINES: usize = 64;

/// The state of a log: which log, how many entries, and the root that commits to all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// Why a text is no checkpoint, or a checkpoint cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text does not end with a line feed.
    #[error("the checkpoint does not end with a line feed")]
    Unfinished,
    /// The origin is missing, empty, or has a line break or control character.
    #[error("the checkpoint's origin is not a non-empty line")]
    Origin,
    /// The size is no plain decimal up to 2^63-1.
    #[error("the checkpoint's size is not a plain decimal up to 2^63-1")]
    Size,
    /// The root is not 32 bytes of base64.
    #[error("the checkpoint's root hash is not 32 bytes in base64")]
    Root,
    /// Size 0 with a root other than [`EMPTY_ROOT`].
    #[error("the checkpoint's root hash is not that of the empty tree, though its size is 0")]
    EmptyRoot,
    /// An extension line is empty or has a line break or control character.
    #[error("extension line {line} of the checkpoint is not a non-empty line")]
    Extension {
        /// Counted from 1.
        line: usize,
    },
    /// More than [`MAX_EXTENSION_LINES`].
    #[error("the checkpoint has more than 64 extension lines")]
    TooManyExtensions,
}

/// Why a note is not believed to be a checkpoint of the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The log's key has not signed it.
    #[error(transparent)]
    Note(#[from] VerifyNoteError),
    /// The signed text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Signed by the log's key, but for another origin.
    #[error("the checkpoint is of log `{found}`, not `{expected}`")]
    Origin {
        /// Origin of the checkpoint.
        found: String,
        /// Name of the key.
        expected: String,
    },
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if !is_line(origin) {
            return Err(CheckpointError::Origin);
        }
        if size > MAX_TREE_SIZE {
            return Err(CheckpointError::Size);
        }
        if size == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// Adds an opaque line at the end.
    pub fn with_extension(mut self, extension: &str) -> Result<Self, CheckpointError> {
        if self.extensions.len() >= MAX_EXTENSION_LINES {
            return Err(CheckpointError::TooManyExtensions);
        }
        if !is_line(extension) {
            return Err(CheckpointError::Extension { line: self.extensions.len() + 1 });
        }
        self.extensions.push(extension.to_owned());
        Ok(self)
    }

    /// Reads a note's text. [`format`](Self::format) gives the same text again.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Unfinished)?.split('\n');
        let origin = lines.next().unwrap_or_default();
        let size = lines.next().and_then(|size| text::decimal(size, MAX_TREE_SIZE));
        let root = lines.next().and_then(|root| Hash::from_base64(root).ok());
        let (size, root) = (size.ok_or(CheckpointError::Size)?, root.ok_or(CheckpointError::Root)?);
        lines.try_fold(Self::new(origin, size, root)?, Self::with_extension)
    }

    /// The text to be signed.
    #[must_use]
    pub fn format(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for extension in &self.extensions {
            text.push_str(extension);
            text.push('\n');
        }
        text
    }

    /// Signs the checkpoint. The caller answers for never signing two that contradict each other.
    pub fn sign(&self, signers: &[&Signer]) -> Result<Note, NoteError> {
        Note::sign(&self.format(), signers)
    }

    /// Reads the checkpoint of a note that `log`'s key has signed and whose origin is the key's name.
    ///
    /// Signatures by other keys (witnesses, an older or newer key of the log) are left to
    /// [`Note::verify`].
    pub fn open(note: &Note, log: &Verifier) -> Result<Self, OpenError> {
        Self::open_any(note, std::slice::from_ref(log))
    }

    /// Reads the checkpoint of a note that at least one of the log's keys has signed. Which of them may sign which sizes is
    /// for [`KeyHistory`](crate::KeyHistory) to say.
    pub fn open_any(note: &Note, log: &[Verifier]) -> Result<Self, OpenError> {
        let verified = note.verify(log)?;
        let checkpoint = Self::parse(note.text())?;
        match verified.signed_by.iter().find(|key| key.name().as_str() != checkpoint.origin) {
            None => Ok(checkpoint),
            Some(key) => Err(OpenError::Origin { found: checkpoint.origin, expected: key.name().to_string() }),
        }
    }

    /// Which log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree of all entries.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Opaque further lines.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.contains('\n') && !text::has_control(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hash::leaf_hash, note::KeyName};
    use proptest::prelude::*;

    /// The example of the specification.
    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn signer(name: &str, seed: u8) -> Signer {
        Signer::from_seed(KeyName::parse(name).unwrap(), &[seed; 32])
    }

    #[test]
    fn the_example_of_the_specification() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size(), 20_852_163);
        assert_eq!(checkpoint.format(), TEXT);
        let extended = Checkpoint::parse(&format!("{TEXT}one\ntwo \n")).unwrap();
        assert_eq!(extended.extensions(), ["one", "two "]);
    }

    #[test]
    fn malformed_checkpoints_are_refused() {
        use CheckpointError::*;
        for (text, error) in [
            (String::new(), Unfinished),
            ("\n".to_owned(), Size),
            (format!("\n{TEXT}"), Size),
            (TEXT.replacen("example.com/behind-the-sofa", "", 1), Origin),
            (TEXT.replace("sofa\n", "sofa\r\n"), Origin),
            (TEXT.replace("sofa", "so\tfa"), Origin),
            (TEXT.replace("20852163", "020852163"), Size),
            (TEXT.replace("20852163", "+20852163"), Size),
            (TEXT.replace("20852163", "20852163\r"), Size),
            (TEXT.replace("20852163", "9223372036854775808"), Size),
            (TEXT.replace("20852163", "0"), EmptyRoot),
            (TEXT.replace("q2I=", "q2I"), Root),
            (TEXT.replace("q2I=", "q2J="), Root),
            (TEXT.replace("q2I=", ""), Root),
            (TEXT.trim_end().to_owned(), Unfinished),
            (format!("{TEXT}x"), Unfinished),
            (format!("{TEXT}\n"), Extension { line: 1 }),
            (format!("{TEXT}x\n\ny\n"), Extension { line: 2 }),
            (format!("{TEXT}x\r\n"), Extension { line: 1 }),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
        }
        assert!(Checkpoint::parse(&TEXT.replace("20852163", "9223372036854775807")).is_ok());
    }

    #[test]
    fn limits_hold_at_their_edges() {
        assert!(Checkpoint::new("o", MAX_TREE_SIZE, leaf_hash(b"")).is_ok());
        assert_eq!(Checkpoint::new("o", MAX_TREE_SIZE + 1, leaf_hash(b"")), Err(CheckpointError::Size));
        assert!(Checkpoint::new("o", 0, EMPTY_ROOT).is_ok());
        let lines = |count| format!("{TEXT}{}", "x\n".repeat(count));
        assert!(Checkpoint::parse(&lines(MAX_EXTENSION_LINES)).is_ok());
        let error = Checkpoint::parse(&lines(MAX_EXTENSION_LINES + 1));
        assert_eq!(error, Err(CheckpointError::TooManyExtensions));
    }

    #[test]
    fn only_the_log_itself_opens_its_checkpoint() {
        let (log, witness) = (signer("log.example/a", 1), signer("witness.example", 2));
        let checkpoint = Checkpoint::new("log.example/a", 3, leaf_hash(b"root")).unwrap();
        let note = checkpoint.sign(&[&log, &witness]).unwrap();
        assert_eq!(Checkpoint::open(&note, &log.verifier()), Ok(checkpoint.clone()));
        let other_origin = OpenError::Origin { found: "log.example/a".into(), expected: "witness.example".into() };
        assert_eq!(Checkpoint::open(&note, &witness.verifier()), Err(other_origin));
        let stranger = signer("log.example/a", 9).verifier();
        assert_eq!(Checkpoint::open(&note, &stranger), Err(VerifyNoteError::NoKnownKey.into()));

        let forged = note.format().replacen("\n3\n", "\n4\n", 1);
        let forged = Note::parse(forged.as_bytes()).unwrap();
        let refused = Checkpoint::open(&forged, &log.verifier());
        assert!(matches!(refused, Err(OpenError::Note(VerifyNoteError::BadSignature { .. }))));
        let letter = Note::sign("no checkpoint\n", &[&log]).unwrap();
        assert_eq!(Checkpoint::open(&letter, &log.verifier()), Err(CheckpointError::Size.into()));
    }

    proptest! {
        #[test]
        fn checkpoints_read_back(origin in "[a-z ./+]{1,9}", size in 1..=MAX_TREE_SIZE, root: [u8; 32], more in "[a-z ]{1,9}") {
            let checkpoint = Checkpoint::new(&origin, size, Hash(root)).unwrap().with_extension(&more).unwrap();
            prop_assert_eq!(Checkpoint::parse(&checkpoint.format()), Ok(checkpoint));
        }

        #[test]
        fn no_text_panics(text in "(?s).{0,40}", tail in "[a\n\r]{0,4}") {
            let _ = Checkpoint::parse(&text);
            if let Ok(checkpoint) = Checkpoint::parse(&format!("{TEXT}{tail}")) {
                prop_assert_eq!(checkpoint.format(), format!("{TEXT}{tail}"));
            }
        }
    }
}
