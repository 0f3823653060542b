//! Programs of this machine, run to their end.

use std::process::{Command, Output, Stdio};

/// Runs a program and returns what it printed; anything but exit code 0 is an error with its last words.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    // Some say what is wrong on their standard output.
    let words = String::from_utf8_lossy(if stderr.is_empty() { &stdout } else { &stderr }).into_owned();
    let last = words.trim().lines().last().unwrap_or_default();
    Err(format!("`{}` ended with {status}: {last}", command.get_program().to_string_lossy()))
}

/// Prepares `docker` with arguments.
pub(crate) fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

/// Prepares a program in a container, as the agent's user.
pub(crate) fn exec(container: &str, arguments: &[&str]) -> Command {
    docker(&[&["exec", "--interactive", "--user", "trustycage", container], arguments].concat())
}

/// Runs shell text in a container.
pub(crate) fn script(container: &str, text: &str) -> Result<String, String> {
    run(&mut exec(container, &["sh", "-c", text]))
}

/// Says how many milliseconds one run of a command takes in a container, its start included, by the clock in there.
pub(crate) fn in_cage(container: &str, command: &str, times: usize) -> Result<f64, String> {
    let text = format!(
        "begun=$(date +%s%N); i=0
        while [ $i -lt {times} ]; do {command} >/dev/null || exit 1; i=$((i+1)); done
        echo $(( $(date +%s%N) - begun ))"
    );
    let nanoseconds: f64 = script(container, &text)?.trim().parse().map_err(|_| "no number".to_owned())?;
    Ok(nanoseconds / 1e6 / times as f64)
}
