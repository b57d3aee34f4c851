//! The files that are written, from templates that stand beside this one as they would in a repository.

use super::found::{Access, Found};

const SETTINGS: &str = include_str!("mortise.toml");
const AGENT_EXAMPLE: &str = include_str!("agent.example.toml");
const AGENT_FOUND: &str = include_str!("agent.found.toml");
const DESK: &str = include_str!("desk.toml");
const SERVER: &str = include_str!("server.toml");
const ROLE: &str = include_str!("role.cedar");
const BASELINE: &str = include_str!("baseline.cedar");
const CASES_EXAMPLE: &str = include_str!("policies.example.yaml");
const CASES_FOUND: &str = include_str!("policies.found.yaml");

/// The names that are filled in; all of them canonical, so that they need no quoting anywhere.
pub(super) struct Choices {
    pub project: String,
    pub agent: String,
    pub approver: String,
}

/// Path and text of every file.
pub(super) fn files(choices: &Choices, servers: &[Found]) -> Vec<(String, String)> {
    let Choices { agent, .. } = choices;
    let (own, cases) = if servers.is_empty() {
        (AGENT_EXAMPLE.to_owned(), CASES_EXAMPLE)
    } else {
        let tools: Vec<String> = servers.iter().map(|server| format!("\"{}/*\"", server.name)).collect();
        (AGENT_FOUND.replace("{{tools}}", &tools.join(", ")), CASES_FOUND)
    };
    let mut files = vec![
        ("mortise.toml".to_owned(), filled(SETTINGS, choices)),
        (format!("mortise/agents/{agent}.toml"), filled(&own, choices)),
    ];
    files.extend(servers.iter().map(|found| (format!("mortise/tools/{}.toml", found.name), server(found))));
    if servers.is_empty() {
        files.push(("mortise/tools/desk.toml".to_owned(), DESK.to_owned()));
    }
    files.extend([
        (format!("mortise/policies/roles/{agent}.cedar"), filled(ROLE, choices)),
        ("mortise/policies/guards/baseline.cedar".to_owned(), BASELINE.to_owned()),
        ("mortise/tests/policies.yaml".to_owned(), filled(cases, choices)),
    ]);
    files
}

fn filled(template: &str, choices: &Choices) -> String {
    template
        .replace("{{project}}", &choices.project)
        .replace("{{agent}}", &choices.agent)
        .replace("{{approver}}", &choices.approver)
}

fn server(found: &Found) -> String {
    let mut access = String::new();
    match &found.access {
        Access::Start { command, args, env, pass_path } => {
            let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
            // Package runners keep their caches below the home directory.
            let passed = if *pass_path { r#""HOME", "PATH""# } else { r#""HOME""# };
            access.push_str(&format!("\n[start]\ncommand = {}\nargs = [{}]\n", quoted(command), args.join(", ")));
            access.push_str(&format!("pass_env = [{passed}]      # the only variables it gets beside those below\n"));
            if !env.is_empty() {
                access.push_str("\n# Values stay out of this file: each is taken from the gateway's own environment.\n[start.env]\n");
                env.iter().for_each(|name| access.push_str(&format!("{name} = \"env:{name}\"\n")));
            }
        }
        Access::Reach { url, headers } => {
            access.push_str(&format!("\n[reach]\nurl = {}\n", quoted(url)));
            if !headers.is_empty() {
                access.push_str("\n# Values stay out of this file: each is taken from the gateway's own environment.\n[reach.headers]\n");
            }
            for header in headers {
                let variable = format!("{}_{header}", found.name).to_ascii_uppercase().replace('-', "_");
                // A variable's name does not begin with a digit.
                access.push_str(&format!("{header} = \"env:MCP_{variable}\"\n"));
            }
        }
    }
    // Foreign text last, so that nothing in it is taken for a gap of the template.
    SERVER.replace("{{server}}", &found.name).replace("{{source}}", found.source).replace("{{access}}", &access)
}

/// A TOML basic string. JSON's escapes are TOML's, but for one character that JSON leaves as it is.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives_quoting(command in "\\PC{1,40}|[\\x01-\\x7f]{1,20}", arg in any::<String>()) {
            let found = Found {
                name: "s".to_owned(),
                source: ".mcp.json",
                access: Access::Start {
                    command: command.clone(),
                    args: vec![arg.clone()],
                    env: vec!["A".to_owned()],
                    pass_path: true,
                },
            };
            let read: toml::Table = server(&found).parse().unwrap();
            prop_assert_eq!(read["start"]["command"].as_str(), Some(command.as_str()));
            prop_assert_eq!(read["start"]["args"][0].as_str(), Some(arg.as_str()));
        }
    }
}
