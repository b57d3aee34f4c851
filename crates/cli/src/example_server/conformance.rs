//! What every world must keep, checked against its own published schemas by a JSON Schema validator.

use std::path::Path;

use serde_json::{Value, json};

use super::world::{Answer, World};
use super::{WORLDS, open};

/// Calls that must succeed and match both schemas.
pub(super) trait Conforming: World {
    /// The structured content of a call that is done.
    fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let definition = definition(self.tools(), tool);
        assert!(jsonschema::is_valid(&definition["inputSchema"], &arguments), "{tool} {arguments}");
        match self.call(tool, arguments) {
            Some(Answer::Done { data, .. }) => {
                let problem = jsonschema::validate(&definition["outputSchema"], &data).err();
                assert!(problem.is_none(), "{tool}: {problem:?}");
                data
            }
            other => panic!("{tool}: {other:?}"),
        }
    }
}

impl<W: World> Conforming for W {}

/// Checks that a call is refused as a tool error whose text says why.
pub(super) fn refused(world: &mut impl World, tool: &str, arguments: Value, why: &str) {
    match world.call(tool, arguments) {
        Some(Answer::Refused(text)) => assert!(text.contains(why), "`{text}` does not say `{why}`"),
        other => panic!("{tool}: {other:?}"),
    }
}

fn definition(tools: &[Value], name: &str) -> Value {
    tools.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("no tool {name}")).clone()
}

fn worlds() -> impl Iterator<Item = Box<dyn World>> {
    WORLDS.iter().map(|name| open(name, Path::new("there is no such directory")).unwrap())
}

#[test]
fn every_schema_is_strict() {
    for world in worlds() {
        for tool in world.tools() {
            for schema in ["inputSchema", "outputSchema"] {
                jsonschema::meta::validate(&tool[schema]).unwrap();
                assert_strict(&tool[schema], &format!("{}/{} {schema}", world.name(), tool["name"]));
            }
            for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
                assert!(tool["annotations"][hint].is_boolean(), "{hint} of {}", tool["name"]);
            }
        }
    }
}

fn assert_strict(schema: &Value, place: &str) {
    match schema["type"].as_str() {
        Some("object") => {
            assert_eq!(schema["additionalProperties"], false, "{place}");
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert_strict(property, &format!("{place}.{name}"));
            }
        }
        Some("array") => {
            assert!(schema["maxItems"].is_u64(), "{place}");
            assert_strict(&schema["items"], place);
        }
        Some("string") => assert!(schema["enum"].is_array() || schema["maxLength"].is_u64(), "{place}"),
        Some("boolean") => {}
        other => panic!("{place}: {other:?}"),
    }
}

#[test]
fn every_listed_tool_is_there_and_no_other() {
    for mut world in worlds() {
        let names: Vec<String> = world.tools().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        for name in names {
            let answer = world.call(&name, json!({"no such argument": 1}));
            assert!(matches!(answer, Some(Answer::Refused(_))), "{name}: {answer:?}");
        }
        assert_eq!(world.call("format_disk", json!({})), None);
    }
}

#[test]
fn twins_differ_in_nothing_that_a_caller_sends() {
    let desk = open("desk", Path::new("there is no such directory")).unwrap();
    let [run, twin] = ["run_script", "run_script_dry_run"].map(|name| definition(desk.tools(), name));
    assert_eq!(run["inputSchema"], twin["inputSchema"]);
    assert_eq!(run["outputSchema"], twin["outputSchema"]);
}

#[test]
fn an_unknown_world_is_named() {
    let error = super::run("dusk", &b""[..], Vec::new(), Path::new(".")).unwrap_err();
    assert_eq!(error.to_string(), "no example world is called `dusk`; there are desk, mailer, hr");
}
