fn twice(permit: enforce::Permit) -> (enforce::Permit, enforce::Permit) {
    (permit.clone(), permit)
}

fn main() {}
