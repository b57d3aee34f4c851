//! Inventory, pins, grants, approvals and identities
