//! The programs by themselves: system calls, instructions, size, and what a build that changes nothing costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cage_tests::cage_dir::TestDir;
use cage_tests::places::{self, program};
use serde_json::{Value, json};

use crate::measure::{Figure, Sides, seconds};
use crate::results::{Results, Row};
use crate::shell::{docker, run};
use crate::stage::Stage;

pub(crate) const ROWS: &[&str] = &["send_syscalls", "instructions", "image_build_warm", "binary_bytes"];

/// From how much of a change on instructions are worth a word.
const NOTEWORTHY: f64 = 0.05;

/// Arguments of the message that is sent everywhere.
pub(crate) const SENT: [&str; 3] = ["progress_update", "--status", "sent"];

/// The same for the peer, which takes JSON alone.
pub(crate) const SENT_JSON: [&str; 2] = ["progress_update", r#"{"status":"sent"}"#];

/// Compiles the minimal program with the settings of the static ones.
pub(crate) fn build_minimal(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/side_by_side/minimal.rs");
    let program = folder.join("minimal");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let settings = ["opt-level=s", "lto", "codegen-units=1", "panic=abort", "strip=symbols"];
    let settings = settings.iter().chain(["target-feature=+crt-static", "relocation-model=static"].iter());
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--target", &target]).args(settings.flat_map(|set| ["-C", *set]));
    run(rustc.arg("-o").arg(&program).arg(source)).unwrap();
    program
}

pub(crate) fn measure(stage: &Stage, results: &mut Results) {
    results.add("send_syscalls", &system_calls(stage));
    instructions(results);
    results.add("image_build_warm", &image_build(stage));
    results.add("binary_bytes", &sizes(stage));
}

fn system_calls(stage: &Stage) -> Row {
    let cage = TestDir::new();
    assert!(cage.send("first").status.success());
    let home = stage.temp.path().join("syscalls");
    let beside = stage.temp.path().join("beside");
    fs::create_dir_all(home.join(".cage/outbox")).unwrap();
    fs::create_dir_all(&beside).unwrap();
    Sides::ours(|| count_calls(Command::new(program("cage-send")).args(cage.arguments(&SENT))))
        .peer(|| {
            let script = stage.peer.as_ref().map_err(Clone::clone)?.script("cage-send");
            count_calls(Command::new(script).args(SENT_JSON).env("HOME", &home))
        })
        .floor(|| count_calls(Command::new(&stage.minimal).arg(&beside).args(["name", "text"])))
        .alternate(3, "calls")
}

/// Counts the system calls of a program and of all that it starts.
fn count_calls(command: &Command) -> Figure {
    let mut strace = wrapped("strace", &["-f", "-qq", "-e", "signal=none", "-o", "/dev/stdout"], command);
    let trace = run(&mut strace)?;
    let is_call = |line: &&str| line.contains('(') && !line.contains("<unfinished");
    Ok(trace.lines().filter(is_call).count() as f64)
}

/// Puts a program in front of a command.
fn wrapped(program: &str, options: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(program);
    wrapped.args(options).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    wrapped
}

/// Counts instructions, which do not depend on the machine's mood, and compares them with the committed ones.
fn instructions(results: &mut Results) {
    let file = places::root().join("tests/benches/side_by_side/instructions.json");
    let before: Value =
        fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mut now = json!({});
    let counted = [
        ("instructions_send", Sides::ours(instructions_of_a_send)),
        ("instructions_poll", Sides::ours(instructions_of_a_delivery)),
    ];
    for (name, sides) in counted {
        let mut row = sides.alternate(1, "instructions");
        now[name] = json!(row.ours);
        if let (Some(count), Some(before)) = (row.ours, before[name].as_f64()) {
            let change = count / before - 1.0;
            row = row.remark(format_args!("{:+.1} % against {before:.0}", change * 100.0));
            if change.abs() > NOTEWORTHY {
                println!(
                    "NOTICE: {name} changed by {:+.1} %; if that is meant, remove {} and measure again",
                    change * 100.0,
                    file.display()
                );
            }
        }
        results.add(name, &row);
    }
    if before.is_null() {
        fs::write(&file, serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
    }
}

fn instructions_of_a_send() -> Figure {
    let cage = TestDir::new();
    assert!(cage.send("first").status.success());
    count_instructions(Command::new(program("cage-send")).args(cage.arguments(&SENT)))
}

fn instructions_of_a_delivery() -> Figure {
    let cage = TestDir::new();
    assert!(cage.send("first").status.success());
    let arguments = ["--mailbox", "outbox", "--timeout", "60"];
    count_instructions(Command::new(program("cage-poll")).args(cage.arguments(&arguments)))
}

fn count_instructions(command: &Command) -> Figure {
    let options = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1", "--quiet"];
    // Without `--quiet` there is a line of totals; the program's own output does not look like it.
    let output = run(&mut wrapped("valgrind", &options[..3], command))?;
    let total = output.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    total.and_then(|count| count.parse().ok()).ok_or_else(|| "callgrind gave no total".to_owned())
}

fn image_build(stage: &Stage) -> Row {
    let script = places::root().join("scripts/image.sh");
    let ours = || run(Command::new(&script).arg(places::image())).map(drop);
    // The first one may have something to do.
    if let Err(why) = ours() {
        println!("{why}");
    }
    let peer = || stage.peer.as_ref().map_err(Clone::clone)?.build_image();
    Sides::ours(|| seconds(ours))
        .peer(|| seconds(peer))
        .floor(|| seconds(|| run(&mut docker(&["version"]))))
        .alternate(3, "s")
}

fn sizes(stage: &Stage) -> Row {
    let bytes = |path: &Path| {
        fs::metadata(path).map(|metadata| metadata.len() as f64).map_err(|error| error.to_string())
    };
    let both = |find: &dyn Fn(&str) -> PathBuf, names: [&str; 2]| -> Figure {
        Ok(bytes(&find(names[0]))? + bytes(&find(names[1]))?)
    };
    Sides::ours(|| both(&|name| program(name), ["cage-send", "cage-poll"]))
        .peer(|| {
            let peer = stage.peer.as_ref().map_err(Clone::clone)?;
            both(&|name| peer.script(name), ["cage-send", "cage-wait"])
        })
        .floor(|| Ok(2.0 * bytes(&stage.minimal)?))
        .alternate(1, "bytes")
        .remark("both programs; the peer's are scripts that need bash, coreutils and Python")
}
