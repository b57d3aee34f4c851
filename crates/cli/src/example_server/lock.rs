//! Keeps the examples' `mortise.lock` in step with the tools of the example servers.
//!
//! `MORTISE_BLESS=1 cargo nextest run -p mortise lock_is_current` writes the files anew.

use std::path::{Path, PathBuf};

use canon::json::{canonical, write_canonical};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::open;

/// The examples and the servers each one starts.
const EXAMPLES: [(&str, &[&str]); 2] = [("support-desk", &["desk", "mailer"]), ("hr-screening", &["hr"])];

#[test]
fn lock_is_current() {
    for (example, servers) in EXAMPLES {
        let path = examples().join(example).join("mortise.lock");
        let lock = format!("{:#}\n", sorted(&lock(servers)));
        if std::env::var_os("MORTISE_BLESS").is_some() {
            std::fs::write(&path, &lock).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == lock, "mortise.lock of {example} is stale: run with MORTISE_BLESS=1");
    }
}

/// What a client that asks for the newest protocol version is told, tool by tool.
fn lock(servers: &[&str]) -> Value {
    let pinned = servers.iter().map(|server| {
        let request =
            |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let initialize = request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
        let input = format!("{initialize}\n{}\n", request("tools/list", json!({})));
        let mut output = Vec::new();
        super::protocol::serve(open(server, Path::new("nowhere")).unwrap().as_mut(), input.as_bytes(), &mut output)
            .unwrap();
        let answers: Vec<Value> =
            serde_json::Deserializer::from_slice(&output).into_iter().map(Result::unwrap).collect();
        let tools = answers[1]["result"]["tools"].as_array().unwrap().iter().map(|tool| {
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(canonical(tool))));
            (tool["name"].as_str().unwrap().to_owned(), json!({"digest": digest, "definition": tool}))
        });
        let pin = json!({
            "protocol_version": answers[0]["result"]["protocolVersion"],
            "server_info": answers[0]["result"]["serverInfo"],
            "tools": tools.collect::<Map<_, _>>(),
        });
        ((*server).to_owned(), pin)
    });
    json!({"version": 1, "servers": pinned.collect::<Map<_, _>>()})
}

/// The same value with its members in canonical order, which is the order of the file.
fn sorted(value: &Value) -> Value {
    let mut text = Vec::new();
    write_canonical(value, &mut text);
    serde_json::from_slice(&text).unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}
