//! One gateway on one log.

use super::{BOT, bench, is_done, notes};
use harness::{Project, StdioClient, wait_for};
use serde_json::json;

fn note(shim: &mut StdioClient, what: &str) -> bool {
    is_done(&shim.call("note", json!({"text": what})))
}

#[test]
fn up_takes_over_from_a_gateway_started_on_demand() {
    let project = bench();
    let mut shim = project.hosted(BOT, "bench");
    assert!(note(&mut shim, "before"));
    let on_demand = project.gateway_pid().expect("a gateway");
    let gateway = project.up(&[]);
    wait_for("the foreground gateway", || (project.gateway_pid() == Some(gateway.pid())).then_some(()));
    assert_ne!(gateway.pid(), on_demand);
    assert!(note(&mut shim, "after"), "the shim goes on with the new one");
    drop(shim);
    assert_eq!(project.events_of("gateway.started").len(), 2);
    assert_eq!(project.events_of("gateway.stopped").len(), 1);
    project.ok(&["trace", "verify"]);
}

#[test]
fn a_second_up_is_refused_and_the_first_goes_on() {
    let project = bench();
    let gateway = project.up(&[]);
    wait_for("the gateway", || (project.gateway_pid() == Some(gateway.pid())).then_some(()));
    let second = project.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 30, "{second:#?}");
    assert!(second.stderr.contains(&format!("already serves this project (process {})", gateway.pid())), "{second:#?}");
    assert_eq!(project.gateway_pid(), Some(gateway.pid()));
    assert_eq!(project.events_of("gateway.started").len(), 1);
    // Nor does one that does not ask first get at the log.
    let root = project.root().display().to_string();
    let quiet = project.run(&["__gateway", "--root", &root]);
    assert!(quiet.code == 30 && !quiet.stderr.contains("panicked"), "{quiet:#?}");
    assert_eq!(project.events_of("gateway.started").len(), 1);
    assert_eq!(project.gateway_pid(), Some(gateway.pid()), "its socket is still the first one's");
}

#[test]
fn many_shims_at_once_start_one_gateway() {
    let project = bench();
    let mut shims: Vec<StdioClient> = (0..5).map(|_| project.proxy_raw(BOT, "bench")).collect();
    for (number, shim) in shims.iter_mut().enumerate() {
        shim.initialize();
        assert!(note(shim, &number.to_string()));
    }
    assert_eq!(project.events_of("gateway.started").len(), 1);
    assert_eq!(notes(&project).len(), 5);
}

#[test]
fn an_idle_gateway_ends_and_the_next_shim_starts_another() {
    let project = bench();
    let settings = project.read("mortise.toml");
    project.write("mortise.toml", &format!("{settings}\n[gateway]\nidle_exit_s = 1\n"));
    let mut shim = project.proxy(BOT, "bench");
    assert!(note(&mut shim, "one"));
    drop(shim);
    wait_for("an orderly end", || project.events_of("gateway.stopped").pop());
    assert!(note(&mut project.proxy(BOT, "bench"), "two"));
    assert_eq!(project.events_of("gateway.started").len(), 2);
    project.ok(&["trace", "verify"]);
}

#[test]
fn two_projects_are_two_gateways() {
    let (one, two) = (bench(), bench());
    let (mut a, mut b) = (one.proxy(BOT, "bench"), two.proxy(BOT, "bench"));
    assert!(note(&mut a, "a") && note(&mut b, "b"));
    assert_ne!(one.gateway_pid(), two.gateway_pid());
    assert_eq!((notes(&one), notes(&two)), (vec!["note a".to_owned()], vec!["note b".to_owned()]));
    assert_eq!(Project::empty().gateway_pid(), None);
}
