//! The policy decision point: Cedar policies and a request in, one decision out
