//! The examples' own suites: every case passes without a warning, every kind of promise is there.

use crate::fixture::{project, snapshot_of};
use govern::project::Files;
use lab::{missing_kinds, read_all, run, texts};
use std::path::Path;

fn example(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let files = Files::read(&folder).unwrap();
    let project = project(&files);
    let report = run(&snapshot_of(&files), texts(&project, &files), None).unwrap_or_else(|found| panic!("{found:#?}"));
    assert_eq!(report.exit(true).code(), 0, "{}", lab::report::human(&report, &|_, text| text.to_owned()));
    let (suites, wrong) = read_all(&project, &files);
    // What editors accept by the schema is what the parser accepts.
    let schema = jsonschema::validator_for(&lab::schema()).unwrap();
    for (path, text) in texts(&project, &files) {
        let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        assert!(schema.is_valid(&value), "{path}");
    }
    assert!(wrong.is_empty() && missing_kinds(&project, &suites).is_empty());
}

#[test]
fn support_desk() {
    example("support-desk");
}

#[test]
fn hr_screening() {
    example("hr-screening");
}
