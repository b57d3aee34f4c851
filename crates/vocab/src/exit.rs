//! Exit codes: a documented interface, kept apart from a shell's 126 and up.

/// How a command ended. `docs/spec/exit-codes.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// A defect of Mortise.
    Internal = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Configuration or policy is invalid.
    Configuration = 3,
    /// Nothing was selected, or an attack produced no case.
    Nothing = 4,
    /// A budget was used up.
    Budget = 5,
    /// A cassette has no answer for a request.
    Cassette = 6,
    /// Findings that block.
    Blocking = 10,
    /// Advisory findings, with `--strict`.
    Advisory = 11,
    /// Denied.
    Denied = 12,
    /// An approval was refused or timed out.
    Refused = 13,
    /// The log does not verify.
    Verification = 20,
    /// The environment is missing something.
    Environment = 30,
}

impl Exit {
    /// The number a shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}
