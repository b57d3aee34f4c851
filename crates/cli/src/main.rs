#[path = "demo/script.rs"]
mod demo_script;
mod example_server;

fn main() {}
