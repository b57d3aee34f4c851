//! Nothing is forwarded without a permit, and no permit is made outside the pipeline: the compiler says so.

/// Builds every dependency once more, which takes minutes: the long run does it. The documentation of `Permit` has two of
/// the cases for every run.
#[test]
#[ignore = "builds all dependencies again; part of `cargo xtask test --full`"]
fn permits_cannot_be_made_copied_or_used_twice() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/permit/made_by_hand.rs");
    cases.compile_fail("tests/permit/cloned.rs");
    cases.compile_fail("tests/permit/used_twice.rs");
    cases.compile_fail("tests/permit/call_instead.rs");
}
