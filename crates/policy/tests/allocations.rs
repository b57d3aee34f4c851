//! What a decision costs, in allocations: the same on every machine. Its own binary, because the counter replaces
//! the allocator.

mod many;

use many::{Case, project};

/// Most allocations of one decision, facts to context included, with 1,000 rules loaded.
const MOST: u64 = 400;

fn cost(rules: usize) -> u64 {
    let (bundle, case) = (project(rules), Case::new());
    // The first decision puts the rules of this agent and tool together.
    case.decide(&bundle);
    allocation_counter::measure(|| case.decide(&bundle)).count_total
}

#[test]
fn a_decision_is_cheap_and_rules_of_other_tools_cost_nothing() {
    let (small, large) = (cost(10), cost(1_000));
    assert!(large <= MOST, "{large} allocations");
    assert_eq!(small, large, "rules of other tools are looked at");
}
