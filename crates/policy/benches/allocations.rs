//! What one decision allocates, by number of loaded rules: the same on every machine. Its own binary, because the counter
//! replaces the allocator.
//!
//! `cargo bench -p mortise-policy --bench allocations`
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

#[path = "../tests/many/mod.rs"]
mod many;

use many::{Case, everyday, project};

fn main() {
    println!("| rules | allocations | bytes |\n|---:|---:|---:|");
    let small = std::iter::once(("4, a small project".to_owned(), everyday()));
    let sizes = [10, 100, 1_000, 10_000].map(|rules| (rules.to_string(), project(rules)));
    let case = Case::new();
    for (rules, bundle) in small.chain(sizes) {
        // The first decision puts the rules of this agent and tool together.
        case.decide(&bundle);
        let used = allocation_counter::measure(|| case.decide(&bundle));
        println!("| {rules} | {} | {} |", used.count_total, used.bytes_total);
    }
}
