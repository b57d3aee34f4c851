//! Where agents come in: one folder per way.
//!
//! | folder | way |
//! |---|---|
//! | [`mcp`] | MCP itself, whatever carries it |
//! | `mcp_stdio` | over a shim in place of a stdio server |
//! | `mcp_http` | over Streamable HTTP |
//! | `routes` | back out again, for stored calls whose caller may be gone |

pub mod mcp;
pub mod mcp_http;
pub mod mcp_stdio;
pub mod routes;
