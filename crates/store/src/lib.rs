//! The append-only log and the gateway's durable state
