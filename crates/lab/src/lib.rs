//! Suites and cases: what was tested is what runs
