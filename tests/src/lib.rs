//! What the end-to-end tests share: a project folder, the built binary, clients and servers.
