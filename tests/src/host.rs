//! Agent hosts: processes of their own that start shims.
//!
//! What starts a shim is an agent host, and everything below it is under the agent's control. A test that also plays
//! the person at another terminal must therefore not start its shims itself.

use crate::{Project, StdioClient, binary};
use std::ffi::OsString;
use std::process::Command;

/// A shell that runs a *script* is a host; one that runs a command line is only on the way to one.
const HOST: &str = "\"$@\"\nexit $?\n";

impl Project {
    /// `mortise proxy` below an agent host of its own, after the handshake.
    pub fn hosted(&self, agent: &str, server: &str) -> StdioClient {
        let mut client = self.hosted_raw(&["--agent", agent, "--server", server], &[]);
        client.initialize();
        client
    }

    /// `mortise proxy ARGS` below an agent host of its own, with further variables, before the handshake.
    pub fn hosted_raw(&self, args: &[&str], variables: &[(&str, &str)]) -> StdioClient {
        let script = self.state_base().with_file_name("host.sh");
        std::fs::write(&script, HOST).expect("a written host");
        let mut proxy = vec!["proxy"];
        proxy.extend(args);
        let mut host = below(&self.command(&proxy), &["sh".into(), script.into()]);
        host.envs(variables.iter().copied());
        StdioClient::start(&mut host)
    }
}

/// The same command started by another program.
pub(crate) fn below(command: &Command, program: &[OsString]) -> Command {
    let mut outer = Command::new(program.first().expect("a program"));
    outer.args(&program[1..]).arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    debug_assert_eq!(command.get_program(), binary::mortise());
    outer
}
