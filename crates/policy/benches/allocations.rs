//! What one decision allocates, by number of loaded rules: the same on every machine. Its own binary, because the counter
//! replaces the allocator.
//!
//! `cargo bench -p mortise-policy --bench allocations`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

#[path = "../tests/many/mod.rs"]
mod many;

use many::{Case, project};

fn main() {
    println!("| rules | allocations | bytes |\n|---:|---:|---:|");
    for rules in [10, 100, 1_000, 10_000] {
        let (bundle, case) = (project(rules), Case::new());
        // The first decision puts the rules of this agent and tool together.
        case.decide(&bundle);
        let used = allocation_counter::measure(|| case.decide(&bundle));
        println!("| {rules} | {} | {} |", used.count_total, used.bytes_total);
    }
}
