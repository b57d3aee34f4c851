//! The HTTP server shell: bytes in, [`Answer`] out.
//!
//! Contains no protocol beyond HTTP: what a body means, who may send it and what happens then is the [`Handler`]'s. What
//! it does keep away from the handler is everything that can be told from the outside of a request: a browser that was
//! lured here (`Host`, `Origin`, content type), bodies and connections without end, peers that never finish.
//!
//! | file | idea |
//! |---|---|
//! | `settings` | which names it answers to, and its limits |
//! | `origin` | whether a request was meant for us |
//! | `handler` | what a request and an answer are |
//! | `serve` | accepting, bounding and ending connections |
//! | `route` | from request to handler |
//! | `body` | from answer to bytes |
//!
//! | route | |
//! |---|---|
//! | `POST`, `GET`, `DELETE /mcp` | the handler |
//! | `GET /healthz` | 200 while the process serves |

mod body;
mod handler;
mod origin;
mod route;
mod serve;
mod settings;

pub use body::KEEP_ALIVE;
pub(crate) use body::{AnswerBody, not_allowed, status_only, text};
pub use handler::{Answer, Handler, RequestHead};
pub(crate) use route::whole;
pub(crate) use serve::serve_with;
pub use serve::{BODY_WAIT, HEAD_WAIT, MAX_CONNECTIONS, SHUTDOWN_WAIT, serve};
pub use settings::Settings;
