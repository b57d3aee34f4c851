//! The guardian, from outside: no descendant outlives the process that started it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use gateway::guardian::{Command, Guarded, Guardian};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

const PROBE: &str = env!("CARGO_BIN_EXE_gateway-probe");

/// Leaves three descendants that no signal but SIGKILL, no process group and no closed pipe ends, and says their pids.
const HARD_TO_KILL: &str = r#"
for i in 1 2 3; do
  setsid sh -c 'trap "" TERM HUP INT; exec <&- >&- 2>&-; sleep 300 & wait; sleep 300' &
  echo $!
done
echo done
trap "" TERM HUP
sleep 300
"#;

fn shell(script: &str) -> Command {
    Command {
        label: "test".to_owned(),
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::new(),
        cwd: None,
    }
}

fn spawn(script: &str) -> Guarded {
    Guardian::at(PROBE).spawn(&shell(script)).unwrap()
}

async fn output(guarded: &mut Guarded) -> String {
    let mut text = String::new();
    guarded.stdout.read_to_string(&mut text).await.unwrap();
    text
}

/// Running, and not a zombie that waits to be reaped.
fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn descendants(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = list.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let below = children.iter().flat_map(|pid| descendants(*pid)).collect::<Vec<_>>();
    children.into_iter().chain(below).collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killing_the_parent_kills_every_descendant() {
    killing_the_parent(&mut std::process::Command::new(PROBE));
}

#[test]
fn privileges_are_not_needed() {
    // Without root this is the test above once more.
    if !rustix::process::geteuid().is_root() {
        return killing_the_parent(&mut std::process::Command::new(PROBE));
    }
    // Others may not enter the folder that the probe was built in.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let probe = folder.path().join("probe");
    std::fs::copy(PROBE, &probe).unwrap();
    killing_the_parent(std::process::Command::new(probe).current_dir("/").uid(65534).gid(65534));
}

fn killing_the_parent(parent: &mut std::process::Command) {
    let mut parent = parent.args(["parent", HARD_TO_KILL]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pids: Vec<u32> = lines.map(|l| l.unwrap()).take_while(|l| l != "done").map(|l| l.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    let mut all: Vec<u32> = Vec::new();
    // Parent's children are per thread: start from the ones that were announced, and take what is below them.
    eventually("grandchildren", || {
        all = pids.iter().flat_map(|pid| [*pid].into_iter().chain(descendants(*pid))).collect();
        all.len() >= 6
    });
    assert!(all.iter().all(|pid| alive(*pid)));
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("all dead", || !all.iter().any(|pid| alive(*pid)));
}

#[tokio::test]
async fn the_exit_code_is_passed_on() {
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("kill -TERM $$", 143)] {
        assert_eq!(spawn(script).guard.wait().await.unwrap(), code, "{script}");
    }
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_127() {
    let command = Command { program: "no-such-program".into(), ..shell("") };
    assert_eq!(Guardian::at(PROBE).spawn(&command).unwrap().guard.wait().await.unwrap(), 127);
}

#[tokio::test]
async fn descendants_are_swept_on_a_normal_exit() {
    let mut guarded = spawn("setsid sh -c 'trap \"\" TERM HUP; exec >&-; sleep 300 & wait' & echo $!; exit 7");
    let pid: u32 = output(&mut guarded).await.trim().parse().unwrap();
    assert_eq!(guarded.guard.wait().await.unwrap(), 7);
    // The guardian's own exit means that the sweep is over: no waiting here.
    assert!(!alive(pid));
}

#[tokio::test]
async fn dropping_the_guard_kills() {
    let mut guarded = spawn("sleep 300 >&- & echo $!; exec >&-; trap '' TERM; sleep 300");
    let pid: u32 = output(&mut guarded).await.trim().parse().unwrap();
    assert!(alive(pid));
    drop(guarded);
    eventually("dead", || !alive(pid));
}

#[tokio::test]
async fn stop_waits_for_a_command_that_obeys_and_kills_one_that_does_not() {
    let Guarded { stdin, guard, .. } = spawn("cat; exit 5");
    drop(stdin);
    assert_eq!(guard.stop(Duration::from_secs(60)).await.unwrap(), 5);
    let Guarded { stdin, guard, .. } = spawn("trap '' TERM; while true; do sleep 300; done");
    drop(stdin);
    assert_eq!(guard.stop(Duration::from_millis(50)).await.unwrap(), 137);
}

#[tokio::test]
async fn orphans_are_reaped_while_the_command_runs() {
    let mut guarded = spawn("for i in 1 2 3 4 5 6 7 8 9; do (true & exec true); done; echo go; exec >&-; sleep 300");
    assert_eq!(output(&mut guarded).await, "go\n");
    let guardian = guarded.guard.id().unwrap();
    // All that is left below the guardian is the sleeping shell and its `sleep`: no zombies.
    eventually("reaped", || descendants(guardian).iter().all(|pid| alive(*pid)));
    assert!(!descendants(guardian).is_empty());
}

#[tokio::test]
async fn only_declared_environment_reaches_the_command() {
    let mut command = shell("env");
    command.env.insert("DECLARED".into(), "yes".into());
    let mut guarded = Guardian::at(PROBE).spawn(&command).unwrap();
    let text = output(&mut guarded).await;
    let mut names: Vec<_> = text.lines().map(|line| line.split_once('=').unwrap().0).collect();
    names.sort_unstable();
    // The shell itself sets PWD.
    assert_eq!(names, ["DECLARED", "PATH", "PWD"]);
}

#[tokio::test]
async fn no_descriptor_of_ours_reaches_the_command() {
    // Whatever started the test may have leaked some into it; none may be added.
    let mine: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    let list = Command { program: "ls".into(), args: vec!["-l".into(), "/proc/self/fd".into()], ..shell("") };
    let mut guarded = Guardian::at(PROBE).spawn(&list).unwrap();
    let text = output(&mut guarded).await;
    assert!(text.contains(" 0 -> pipe:"), "{text}");
    for line in text.lines().filter(|line| line.contains(" -> ")) {
        let (left, target) = line.split_once(" -> ").unwrap();
        let standard = ["0", "1", "2"].contains(&left.rsplit(' ').next().unwrap());
        let ours = ["socket:", "pipe:", "anon_inode:"].iter().any(|kind| target.starts_with(kind));
        assert!(standard || !ours || mine.iter().any(|own| own == target), "{text}");
    }
}

#[tokio::test]
async fn the_child_starts_with_default_signals() {
    let mut guarded = spawn("grep -E '^Sig(Blk|Ign)' /proc/self/status");
    let text = output(&mut guarded).await;
    let sets = text.lines().map(|line| u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap());
    // From 32 on are the C library's own.
    assert_eq!(sets.map(|set| set & 0x7fff_ffff).collect::<Vec<_>>(), [0, 0], "{text}");
}

#[tokio::test]
async fn the_word_mortise_is_the_guardians_own_binary() {
    let command =
        Command { program: "mortise".into(), args: vec!["parent".into(), "echo own; exit".into()], ..shell("") };
    let mut guarded = Guardian::at(PROBE).spawn(&command).unwrap();
    let mut text = [0; 4];
    guarded.stdout.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"own\n");
}

#[tokio::test]
async fn a_flood_on_stderr_blocks_nobody() {
    assert_eq!(spawn("head -c 3000000 /dev/zero >&2; exit 3").guard.wait().await.unwrap(), 3);
}
