//! A terminal on which secrets are typed.

use crate::host::below;
use crate::{Output, PATIENCE, Project, wait_for};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

impl Project {
    /// Runs a command of the built binary at a terminal of its own. Each line is typed once its prompt is shown.
    pub fn typing(&self, args: &[&str], lines: &[(&str, &str)]) -> Output {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).expect("a terminal of ours");
        unlockpt(&terminal).expect("an unlocked terminal");
        let name = ptsname(&terminal, Vec::new()).expect("its name").into_string().expect("a plain name");
        let flags = i32::try_from(OFlags::NOCTTY.bits()).expect("a flag");
        let inside = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name).expect("its other end");
        let mut terminal = File::from(terminal);
        let shown = show(&terminal);
        let child = below(&self.command(args), &["setsid".into(), "--ctty".into()])
            .stdin(inside)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a started command");
        let ended = std::thread::spawn(move || child.wait_with_output().expect("an end"));
        let mut screen = String::new();
        for (prompt, line) in lines {
            let until = Instant::now() + PATIENCE;
            while !screen.contains(prompt) && !ended.is_finished() {
                match shown.recv_timeout(Duration::from_millis(20)) {
                    Ok(text) => screen.push_str(&text),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => assert!(Instant::now() < until, "no `{prompt}` in `{screen}`"),
                }
            }
            screen = screen.split_once(prompt).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
            let _ = terminal.write_all(format!("{line}\n").as_bytes());
        }
        wait_for("the command's end", || ended.is_finished().then_some(()));
        let output = ended.join().expect("an end");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What appears on the terminal.
fn show(terminal: &File) -> Receiver<String> {
    let mut terminal = terminal.try_clone().expect("a second handle");
    let (sender, shown) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0_u8; 1024];
        // The end of the last process at the terminal is an error here, not an empty read.
        while let Ok(count) = terminal.read(&mut bytes) {
            if sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).is_err() {
                return;
            }
        }
    });
    shown
}
