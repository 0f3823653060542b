//! What a test left in the engine, found by its labels without the library under test.

use std::process::Command;

/// Removes the containers of the cages `$1`, each a word of a pattern, what was made to copy them, the notes about
/// their folders, and the snapshots of such a name, with a name in the engine and without one.
const REMOVE: &str = r#"matches() { for pattern in $patterns; do case "$1" in $pattern) return 0 ;; esac; done; return 1; }
set -f; patterns=$1
docker ps --all --no-trunc --format '{{.ID}} {{.Label "dev.cage.name"}}' | while read -r id name; do
    matches "$name" || continue
    copies=$(docker ps --all --quiet --filter "label=dev.cage.pauses=$id")
    docker rm --force --volumes "$id" $copies
    docker volume ls --quiet --filter "label=dev.cage.cage=$id" | xargs --no-run-if-empty docker volume rm
done
docker images --all --quiet --no-trunc --filter label=dev.cage.role=snapshot | sort -u | while read -r id; do
    ! matches "$(docker inspect --format '{{index .Config.Labels "dev.cage.name"}}' "$id")" || docker rmi --force "$id"
done"#;

/// Removes what is left of the cages and snapshots whose names match one of these patterns of the shell.
pub(crate) fn remove_all<'a>(patterns: impl IntoIterator<Item = &'a str>) {
    let patterns: Vec<_> = patterns.into_iter().collect();
    // Where there is no engine nothing can be left in it.
    let _ = Command::new("sh").args(["-c", REMOVE, "sh", &patterns.join(" ")]).output();
}

/// An image that is removed when the test is done with it, well or not.
pub(crate) struct BuiltImage(pub(crate) String);

impl Drop for BuiltImage {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.0]).output();
    }
}
