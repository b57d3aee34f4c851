//! The process between agents and tools: interception, upstreams, control
