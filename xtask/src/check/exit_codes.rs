//! `docs/spec/exit-codes.md`, written from the enum that the commands return.

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};

/// Where the codes are defined.
const SOURCE: &str = "crates/vocab/src/exit.rs";

const HEAD: &str = "\
# Exit codes

How `mortise` commands end. The numbers are a documented interface: they change only with a major version, and new ones
are added without moving old ones. They stay below 126, which a shell uses for its own purposes.

| code | name | meaning |
|---:|---|---|
";

const TAIL: &str = "
A command ends with the code of the first thing that stopped it. Standard output is data and standard error is messages,
so a pipeline sees the code and the data and nothing else. `mortise run` and `mortise proxy` end with the code of what
they carry.

Generated from `crates/vocab/src/exit.rs` by `cargo xtask generated`.
";

/// Prints the document.
pub fn print(workspace: &Workspace) -> Result<()> {
    let source =
        std::fs::read_to_string(workspace.root.join(SOURCE)).with_context(|| format!("cannot read `{SOURCE}`"))?;
    print!("{}", render(&source)?);
    Ok(())
}

fn render(source: &str) -> Result<String> {
    let mut rows = String::new();
    let mut meaning = String::new();
    let body = source.lines().map(str::trim).skip_while(|line| !line.starts_with("pub enum Exit")).skip(1);
    for line in body.take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("///") {
            meaning.push_str(text);
        } else if let Some((name, code)) = line.trim_end_matches(',').split_once(" = ") {
            let code: u8 = code.parse().with_context(|| format!("`{line}` has no code"))?;
            rows.push_str(&format!("| {code} | `{name}` | {} |\n", meaning.trim()));
            meaning.clear();
        }
    }
    if rows.is_empty() {
        bail!("`{SOURCE}` has no exit codes");
    }
    Ok(format!("{HEAD}{rows}{TAIL}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_a_row_with_its_meaning() {
        let text =
            render("pub enum Exit {\n    /// Done.\n    Ok = 0,\n    /// Two\n    /// lines.\n    Usage = 2,\n}\n")
                .unwrap();
        assert!(text.contains("| 0 | `Ok` | Done. |\n| 2 | `Usage` | Two lines. |\n"), "{text}");
    }

    #[test]
    fn an_enum_that_moved_away_is_noticed() {
        assert!(render("pub enum Other {\n}\n").is_err());
    }
}
