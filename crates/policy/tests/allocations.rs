//! What a decision costs, in allocations: the same on every machine. Its own binary, because the counter replaces
//! the allocator.

mod many;

use many::{Case, everyday, project};
use policy::Bundle;

/// Most allocations of one decision: those of its answer, and of which rules gave it.
const MOST: u64 = 4;

fn cost(bundle: &Bundle) -> u64 {
    let case = Case::new();
    // The first decision puts the rules of this agent and tool together.
    case.decide(bundle);
    allocation_counter::measure(|| case.decide(bundle)).count_total
}

#[test]
fn a_decision_is_cheap_and_rules_of_other_tools_cost_nothing() {
    let (small, large) = (cost(&project(10)), cost(&project(1_000)));
    assert!(large <= MOST, "{large} allocations");
    assert_eq!(small, large, "rules of other tools are looked at");
    let everyday = cost(&everyday());
    assert!(everyday <= small, "{everyday} allocations");
}
