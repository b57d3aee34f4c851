//! The paths a call can take to the same server.

use std::path::PathBuf;

/// Tools the server has beside `echo`, so that there is something for rules of other tools to speak about.
pub const OTHER_TOOLS: usize = 50;

/// One measured path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    pub path: Path,
    pub clients: usize,
}

/// What stands between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Nothing: standard input and output.
    Direct,
    /// A pass-through without any other duty.
    RawProxy,
    /// Mortise with everything on, and this many rules that speak about other tools only.
    Mortise { other_rules: usize },
}

/// Every measured path, in the order of the report.
pub const ALL: [Subject; 7] = [
    Subject { path: Path::Direct, clients: 1 },
    Subject { path: Path::RawProxy, clients: 1 },
    MORTISE_1,
    Subject { path: Path::Mortise { other_rules: 1_000 }, clients: 1 },
    Subject { path: Path::RawProxy, clients: 16 },
    MORTISE_16,
    Subject { path: Path::Mortise { other_rules: 1_000 }, clients: 16 },
];

/// The path the budgets are about, with one client.
pub const MORTISE_1: Subject = Subject { path: Path::Mortise { other_rules: 0 }, clients: 1 };
/// The path the budgets are about, under load.
pub const MORTISE_16: Subject = Subject { path: Path::Mortise { other_rules: 0 }, clients: 16 };

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct => f.write_str("direct stdio"),
            Self::RawProxy => f.write_str("raw proxy"),
            Self::Mortise { other_rules: 0 } => f.write_str("Mortise, 4 rules"),
            Self::Mortise { other_rules } => write!(f, "Mortise, 4 + {other_rules} rules of other tools"),
        }
    }
}

/// The server behind every path.
pub fn echo_server() -> Result<PathBuf, String> {
    beside_us("echo-server")
}

/// A binary that was built with this one.
pub fn beside_us(name: &str) -> Result<PathBuf, String> {
    let ours = std::env::current_exe().map_err(|error| format!("our own binary: {error}"))?;
    let found = ours.with_file_name(name);
    let help = "build it with `cargo build -p mortise-tests --bins`";
    found.is_file().then_some(found).ok_or_else(|| format!("`{name}` is not built: {help}"))
}
