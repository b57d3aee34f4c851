//! Members that nobody here knows reach the client as they were sent.

use harness::Project;
use harness::real::{AGENT, RealServer, Step, govern, play};
use serde_json::json;

#[test]
fn unknown_members_of_everything_survive() {
    let project = Project::empty();
    let server = RealServer::fixture("odd", "odd_server.py");
    govern(&project, std::slice::from_ref(&server));
    let script: Vec<Step> = vec![
        ("tools/list", json!({})),
        ("tools/call", json!({"name": "odd", "arguments": {"n": 2}})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "odd://1"})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "simple-prompt"})),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/prompt", "name": "simple-prompt"}, "argument": {"name": "a", "value": "b"}
            }),
        ),
        ("logging/setLevel", json!({"level": "info"})),
    ];
    let direct = play(&mut server.direct(&project), "2025-11-25", &script);
    let through = play(&mut project.proxy_raw(AGENT, &server.name), "2025-11-25", &script);
    assert!(direct[1].contains(r"\ud83d\ude00 \/"), "the fixture lost what it is for: {}", direct[1]);
    for (asked, (direct, through)) in script.iter().zip(direct.iter().zip(&through).skip(1)) {
        assert_eq!(direct, through, "{asked:?}");
    }
    assert_eq!(direct, through);
}
