//! People at terminals of their own.

use harness::{Output, Project, wait_for};
use serde_json::Value;

pub const SECRET: &str = "correct horse battery";

/// Sets an approver's secret, as typed.
pub fn enroll(project: &Project, name: &str) {
    let prompts = [("present secret of", ""), ("new secret", SECRET), ("once more:", SECRET)];
    let output = project.typing(&["approvals", "enroll", name], &prompts);
    assert_eq!(output.code, 0, "{output:#?}");
}

/// Approves with the right secret.
pub fn approve(project: &Project, id: &str, name: &str) -> Output {
    answer(project, "approve", id, name, SECRET)
}

/// Refuses with the right secret.
pub fn deny(project: &Project, id: &str, name: &str) -> Output {
    answer(project, "deny", id, name, SECRET)
}

pub fn answer(project: &Project, how: &str, id: &str, name: &str, secret: &str) -> Output {
    let args = ["approvals", how, id, "--as", name, "--reason", "looked at it"];
    project.typing(&args, &[("secret of", secret)])
}

/// Accepts what waits.
pub fn accept(project: &Project, name: &str) -> Output {
    project.typing(&["policy", "accept", "--as", name, "--reason", "discussed"], &[("secret of", SECRET)])
}

/// The first call that waits.
pub fn waiting(project: &Project) -> Value {
    wait_for("a call that waits", || project.json(&["approvals", "ls"]).as_array()?.first().cloned())
}

/// Its id.
pub fn waiting_id(project: &Project) -> String {
    waiting(project)["id"].as_str().expect("an id").to_owned()
}

/// Where an approval stands.
pub fn state(project: &Project, id: &str) -> String {
    project.json(&["approvals", "show", id])["state"].as_str().expect("a state").to_owned()
}
