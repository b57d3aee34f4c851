//! A mail server that sends nothing: what it accepted can be read back, which is how a test sees what really left.

mod server;

pub(super) use server::Mailer;
