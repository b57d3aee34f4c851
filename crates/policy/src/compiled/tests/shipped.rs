//! The rules that come with Mortise and those of its examples are all compiled: what is left to Cedar is exotic.

use crate::compiled::Compiled;
use cedar_policy::PolicySet;
use std::path::{Path, PathBuf};

fn cedar_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cedar_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "cedar") {
            found.push(path);
        }
    }
}

#[test]
fn every_rule_that_we_write_is_compiled() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "../../examples", "../cli/src"] {
        cedar_files(&crate_folder.join(folder), &mut files);
    }
    let (mut rules, mut with_conditions) = (0, 0);
    for file in files {
        let policies: PolicySet = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        for policy in policies.policies() {
            assert!(Compiled::of(policy).is_some(), "{}: {policy}", file.display());
            rules += 1;
            with_conditions += usize::from(policy.as_ref().non_scope_constraints().is_some());
        }
    }
    assert!(rules >= 20 && with_conditions >= 15, "{rules} rules, {with_conditions} with conditions");
}
