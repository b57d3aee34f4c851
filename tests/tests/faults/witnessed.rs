//! A witness beside a gateway: what it cosigned cannot be cut off, rolled back or rewritten unseen.

use crate::session::{end_gateway, recorded};
use harness::{Output, Project, wait_for};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

/// A running `mortise witness`; ended with the test.
pub struct Witness {
    process: Child,
    address: String,
    pub key: String,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a witness of the project's log, at an address of its own choice unless one is given.
fn witness(project: &Project, address: Option<&str>) -> Witness {
    let log = fs::read_to_string(project.log().join("vkey")).expect("the log's key");
    witness_of(project, address, &[log.trim()])
}

/// Starts a witness that knows these keys of the project's log.
pub fn witness_of(project: &Project, address: Option<&str>, keys: &[&str]) -> Witness {
    let dir = project.root().join("witness").display().to_string();
    let listen = address.unwrap_or("127.0.0.1:0");
    let mut args = vec!["witness", "--dir", &dir, "--name", "w.example/team", "--listen", listen];
    args.extend(keys.iter().flat_map(|key| ["--log", key]));
    let mut process =
        project.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a started witness");
    let mut key = String::new();
    BufReader::new(process.stdout.take().expect("stdout")).read_line(&mut key).expect("a key");
    let stderr = BufReader::new(process.stderr.take().expect("stderr"));
    let mut lines = stderr.lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("/add-checkpoint")).expect("an address");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned();
    Witness { process, address, key: key.trim().to_owned() }
}

pub fn configure(project: &Project, witness: &Witness) {
    let settings = project.read("mortise.toml");
    let (address, key) = (&witness.address, &witness.key);
    let more = format!("\n[log.witnesses.team]\nurl = \"http://{address}\"\nkey = \"{key}\"\nevery_s = 1\n");
    project.write("mortise.toml", &(settings + &more));
}

/// How many events `trace verify` says the witness has cosigned.
pub fn cosigned(project: &Project, witness: &Witness) -> Option<u64> {
    let output = project.run(&["trace", "verify", "--witness", &witness.key]);
    let line = output.stdout.lines().find(|line| line.contains("witness `w.example/team` cosigned "))?;
    line.split("cosigned ").nth(1)?.split(' ').next()?.parse().ok()
}

impl Witness {
    pub fn address(&self) -> &str {
        &self.address
    }
}

fn post(witness: &Witness, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(&witness.address).expect("a connection");
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("a sent request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let to = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, to).expect("a copy");
        }
    }
}

/// Starts the gateway, and says what became of a call.
pub fn call(project: &Project) -> String {
    let answer = project.proxy("tester", "faulty").call("echo", serde_json::json!({"n": 1}));
    answer.to_string()
}

#[test]
fn a_log_is_cosigned_as_it_grows_and_a_copy_of_its_past_is_refused() {
    let project = recorded(2);
    let past = project.root().join("past");
    copy(&project.log(), &past);
    let witness = witness(&project, None);
    let none = project.run(&["trace", "verify", "--witness", &witness.key]);
    assert_eq!(none.code, 20, "{none:?}");
    assert!(none.stderr.contains("has cosigned nothing of this log"), "{none:?}");
    configure(&project, &witness);
    // Another witness is a change of the configuration, which otherwise waits for somebody.
    let gateway = project.up(&["--dev"]);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    let first = wait_for("a cosignature", || cosigned(&project, &witness));
    let doctor = project.run(&["doctor"]).stdout;
    assert!(doctor.contains("`team` cosigned "), "{doctor}");
    assert!(call(&project).contains("\\\"n\\\": 1"));
    wait_for("a later cosignature", || cosigned(&project, &witness).filter(|size| *size > first));
    end_gateway(&project);
    drop(gateway);

    // The log is put back to what it was before: everything in it is well signed, and it is not all there was.
    fs::rename(project.log(), project.root().join("whole")).expect("a moved log");
    copy(&past, &project.log());
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
    let gateway = project.up(&["--dev"]);
    let refused = call(&project);
    assert!(refused.contains("fault/log") || refused.contains("the log cannot be written"), "{refused}");
    assert_eq!(project.events_of("tool.dispatch").len(), 2, "nothing was done");
    let doctor = project.run(&["doctor"]).stdout;
    assert!(doctor.contains("witness `team` contradicts the log: it cosigned "), "{doctor}");
    end_gateway(&project);
    drop(gateway);

    // The same, with what the witness cosigned left in its place: that alone says enough, also without the witness.
    copy(&project.root().join("whole/witnesses"), &project.log().join("witnesses"));
    let cut = project.run(&["trace", "verify"]);
    assert!(cut.code == 20 && cut.stdout.starts_with("missing"), "{cut:?}");
    let gateway = project.up(&["--dev"]);
    let refused = call(&project);
    assert!(refused.contains("fault/log"), "{refused}");
    end_gateway(&project);
    drop(gateway);

    // Put back whole, it goes on.
    fs::remove_dir_all(project.log()).expect("a removed log");
    fs::rename(project.root().join("whole"), project.log()).expect("a moved log");
    let _gateway = project.up(&["--dev"]);
    assert!(call(&project).contains("\\\"n\\\": 1"));
}

#[test]
fn a_gateway_goes_on_without_its_witness_and_catches_up() {
    let project = recorded(1);
    let first = witness(&project, None);
    configure(&project, &first);
    let address = first.address.clone();
    drop(first);
    let _gateway = project.up(&["--dev"]);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    let again = witness(&project, Some(&address));
    wait_for("a cosignature", || cosigned(&project, &again));
}

#[test]
fn a_checkpoint_that_a_power_cut_put_back_contradicts_nothing() {
    let project = recorded(1);
    let witness = witness(&project, None);
    configure(&project, &witness);
    let gateway = project.up(&["--dev"]);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    wait_for("a cosignature", || cosigned(&project, &witness));
    let earlier = fs::read(project.log().join("checkpoint")).expect("a checkpoint");
    assert!(call(&project).contains("\\\"n\\\": 1"));
    end_gateway(&project);
    drop(gateway);
    let gateway = project.up(&["--dev"]);
    let whole = wait_for("a later cosignature", || cosigned(&project, &witness));
    end_gateway(&project);
    drop(gateway);

    // Every record is there; the newest checkpoint, the one kept at the end, and what was cosigned are not.
    fs::write(project.log().join("checkpoint"), &earlier).expect("a checkpoint");
    fs::remove_dir_all(project.log().join("checkpoints")).expect("no kept checkpoints");
    fs::remove_dir_all(project.log().join("witnesses")).expect("nothing kept");
    let _gateway = project.up(&["--dev"]);
    assert!(call(&project).contains("\\\"n\\\": 1"));
    wait_for("a cosignature again", || cosigned(&project, &witness).filter(|size| *size > whole));
}

/// Beside what is running, and told so: a witness that does not know the log's key any more.
#[test]
fn a_witness_that_refuses_is_said_by_doctor() {
    let project = recorded(1);
    let witness = witness_of(&project, None, &[OTHER_KEY]);
    configure(&project, &witness);
    let _gateway = project.up(&["--dev"]);
    let line = wait_for("a witness that is said to refuse", || {
        let doctor = project.run(&["doctor"]).stdout;
        doctor.lines().find(|line| line.contains("does not cosign this log")).map(ToOwned::to_owned)
    });
    assert!(line.starts_with("warn  witness") && line.contains("`team` has cosigned nothing"), "{line}");
}

/// In a folder that is named from where the command runs, new and old.
#[test]
fn a_witness_begins_in_a_relative_folder() {
    let project = recorded(1);
    let key = fs::read_to_string(project.log().join("vkey")).expect("the log's key");
    for dir in ["w1", "./w2", "deep/er/w3", "../w4", "w1"] {
        let args =
            ["witness", "--dir", dir, "--name", "w.example/team", "--listen", "127.0.0.1:0", "--log", key.trim()];
        let mut process = project.command(&args).stdout(Stdio::piped()).spawn().expect("a started witness");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        let _ = process.kill();
        process.wait().expect("its end");
        assert!(line.starts_with("w.example/team+"), "{dir}: {line:?}");
        assert!(project.root().join(dir).join("key").exists(), "{dir}");
    }
}

/// The key of a log that no test has.
const OTHER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn a_witness_answers_as_the_specification_says() {
    let project = recorded(2);
    let witness = witness(&project, None);
    let checkpoint = fs::read_to_string(project.log().join("checkpoint")).expect("a checkpoint");
    let size = checkpoint.lines().nth(1).expect("a size").to_owned();
    let (status, body) = post(&witness, &format!("old 0\n\n{checkpoint}"));
    assert_eq!(status, 200, "{body}");
    assert!(body.starts_with("\u{2014} w.example/team ") && body.ends_with('\n'), "{body}");
    assert_eq!(post(&witness, &format!("old 0\n\n{checkpoint}")), (409, format!("{size}\n")));
    assert_eq!(post(&witness, &format!("old {size}\n\n{checkpoint}")).0, 200);
    assert_eq!(post(&witness, &format!("old {size}9\n\n{checkpoint}")).0, 400);
    assert_eq!(post(&witness, "nothing of the kind").0, 400);
    let forged = checkpoint.replacen(&format!("\n{size}\n"), &format!("\n{size}0\n"), 1);
    assert_eq!(post(&witness, &format!("old {size}\n\n{forged}")).0, 403);
    let foreign = checkpoint.replacen("mortise.local/faults\n", "mortise.local/other\n", 1);
    assert_eq!(post(&witness, &format!("old 0\n\n{foreign}")).0, 404);
    let second: Output = project.run(&[
        "witness",
        "--dir",
        &project.root().join("witness").display().to_string(),
        "--name",
        "w.example/team",
        "--log",
        fs::read_to_string(project.log().join("vkey")).expect("a key").trim(),
    ]);
    assert_eq!(second.code, 30, "{second:?}");
    assert!(second.stderr.contains("another process is this witness (process "), "{second:?}");
}
