//! What is said to somebody who is in a cage already.

/// The user that a cage's programs run as.
const INNER_USER: &str = "trustycage";

/// Says whether this program runs in a cage.
pub(crate) fn is_inside() -> bool {
    let variable = |name| std::env::var(name).unwrap_or_default();
    looks_inside(&variable("TRUSTY_CAGE"), &[&variable("USER"), &variable("LOGNAME"), &own_user()])
}

fn looks_inside(mark: &str, users: &[&str]) -> bool {
    mark == "1" || users.contains(&INNER_USER)
}

/// Returns the name of this process's user; `USER` is only what somebody said.
fn own_user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = users.lines().find(|line| line.split(':').nth(2) == Some(&id));
    own.and_then(|line| line.split(':').next()).unwrap_or_default().to_owned()
}

/// Returns how to report from here.
pub(crate) fn instructions() -> String {
    cage_proto::agent::instructions()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_cage_by_its_mark_or_by_its_user() {
        assert!(looks_inside("1", &["root"]));
        assert!(looks_inside("", &["", "trustycage"]));
        assert!(!looks_inside("", &["root", ""]));
        assert!(!looks_inside("0", &[]));
    }
}
