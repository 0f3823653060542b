//! Judges what an engine says of itself.

use super::report::{EngineFacts, Finding, Product, Subject};
use super::versions::known_flaws;
use crate::endpoint::{Address, Endpoint};

/// The API of Docker 20.10, the first that can tell a container where its host is.
const OLDEST_API: (u32, u32) = (1, 41);

/// The first Podman that can do that too.
const PODMAN_WITH_GATEWAY: (u32, u32) = (4, 7);

/// Room for a handful of cages, in bytes: an image with an agent takes about half of it.
const LITTLE_ROOM_BYTES: u64 = 10 << 30;

/// Less than one cage may write, in bytes.
const NO_ROOM_BYTES: u64 = 1 << 30;

/// Storage that shares what two containers have in common.
const SHARING_DRIVERS: [&str; 7] =
    ["overlay2", "overlay", "overlayfs", "fuse-overlayfs", "btrfs", "zfs", "stargz"];

/// Judges the way to an engine. Whoever may use the engine is root on its machine.
pub(super) fn judge_endpoint(endpoint: &Endpoint) -> Finding {
    let found = format!("{endpoint}, named by {}", endpoint.origin());
    let Address::Tcp { authority, .. } = &endpoint.address else {
        return Finding::good(Subject::Endpoint, found);
    };
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    match (&endpoint.certificates, local) {
        (Some(_), _) => Finding::good(Subject::Endpoint, format!("{found}, over TLS")),
        (None, true) => Finding::warning(
            Subject::Endpoint,
            format!("{found}: every program of this machine may use it, and so become root"),
            "let the engine listen on a socket file only",
        ),
        (None, false) => Finding::bad(
            Subject::Endpoint,
            format!("{found}, without TLS: everybody on the network between may become root there"),
            "use ssh://, or TLS with certificates",
        ),
    }
}

/// Judges what an engine is made of.
pub(super) fn judge(facts: &EngineFacts) -> Vec<Finding> {
    let mut findings = vec![engine(facts)];
    findings.extend(runtime(facts));
    findings.extend(known_flaws(facts));
    findings.extend([user_namespaces(facts), seccomp(facts), limits(facts), storage(facts)]);
    findings.extend(disk(facts));
    findings
}

fn engine(facts: &EngineFacts) -> Finding {
    let found = format!("{} {}, API {}", facts.product, facts.version, facts.api_version);
    match major_and_minor(&facts.api_version) {
        Some(api) if api >= OLDEST_API => {}
        _ => {
            return Finding::bad(
                Subject::Engine,
                found,
                "update to Docker Engine 20.10 or Podman 4, or newer",
            );
        }
    }
    let podman = major_and_minor(&facts.version).filter(|_| facts.product == Product::Podman);
    if podman.is_some_and(|version| version < PODMAN_WITH_GATEWAY) {
        let found = format!("{found}: `host.docker.internal` means nothing in its cages");
        let advice = "update to Podman 4.7 or newer, or write `host.containers.internal` for a gateway on this machine";
        return Finding::warning(Subject::Engine, found, advice);
    }
    Finding::good(Subject::Engine, found)
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn runtime(facts: &EngineFacts) -> Option<Finding> {
    let runtime = facts.runtime.as_ref()?;
    Some(Finding::good(Subject::Runtime, format!("{} {}", runtime.name, runtime.version)))
}

fn user_namespaces(facts: &EngineFacts) -> Finding {
    let subject = Subject::UserNamespaces;
    match (facts.rootless, facts.user_namespaces) {
        (true, _) => Finding::good(subject, "the engine runs without root"),
        (false, true) => {
            Finding::good(subject, "the engine runs as root, root in a container is another user")
        }
        (false, false) => Finding::warning(
            subject,
            "the engine runs as root, and a way out of a container leads to root",
            "consider rootless Docker or Podman, or `userns-remap`; agents run as uid 1000 without capabilities",
        ),
    }
}

fn seccomp(facts: &EngineFacts) -> Finding {
    if facts.seccomp {
        return Finding::good(Subject::Seccomp, "system calls are filtered");
    }
    let advice = "use a kernel with seccomp, and an engine with its default profile";
    Finding::bad(Subject::Seccomp, "system calls are not filtered", advice)
}

/// Returns what of a cage an engine cannot limit; `None` if it limits all.
pub(crate) fn unlimited(facts: &EngineFacts) -> Option<String> {
    // Podman says of this that it can limit everything, and limits nothing.
    if facts.cgroup_driver == "none" || facts.rootless && facts.cgroup_version == "1" {
        return Some("memory, processes and processors".to_owned());
    }
    let missing: Vec<_> = [
        (facts.limits_memory, "memory"),
        (facts.limits_processes, "processes"),
        (facts.limits_cpus, "processors"),
    ]
    .into_iter()
    .filter_map(|(there, what)| (!there).then_some(what))
    .collect();
    (!missing.is_empty()).then(|| missing.join(" and "))
}

fn limits(facts: &EngineFacts) -> Finding {
    let found = format!("cgroups version {}, driver {}", facts.cgroup_version, facts.cgroup_driver);
    if let Some(unlimited) = unlimited(facts) {
        let advice = if facts.rootless && facts.cgroup_version == "1" {
            "start the system with cgroups version 2, and delegate its controllers to this user"
        } else {
            "use cgroups version 2, and delegate its controllers to a rootless engine"
        };
        return Finding::bad(Subject::Limits, format!("{found}: cannot limit {unlimited}"), advice);
    }
    if facts.cgroup_version == "1" {
        let advice = "start the system with cgroups version 2, which new engines will ask for";
        return Finding::warning(Subject::Limits, found, advice);
    }
    Finding::good(Subject::Limits, found)
}

fn storage(facts: &EngineFacts) -> Finding {
    let found = format!("{} in {}", facts.storage_driver, facts.storage_folder);
    if SHARING_DRIVERS.contains(&facts.storage_driver.as_str()) {
        return Finding::good(Subject::Storage, found);
    }
    let advice = match facts.product {
        Product::Docker => {
            "use the driver overlay2: others copy the whole image for each cage or are out of date"
        }
        Product::Podman => {
            "use the driver overlay (with fuse-overlayfs on old kernels): others copy the whole image"
        }
    };
    Finding::warning(Subject::Storage, found, advice)
}

fn disk(facts: &EngineFacts) -> Option<Finding> {
    let free = facts.free_bytes?;
    let tenths = free / ((1 << 30) / 10);
    let found = format!("{}.{} GiB free in {}", tenths / 10, tenths % 10, facts.storage_folder);
    let advice = "free space, for example with `docker image prune` and `docker builder prune`";
    Some(match free {
        0..NO_ROOM_BYTES => Finding::bad(Subject::Disk, found, advice),
        NO_ROOM_BYTES..LITTLE_ROOM_BYTES => Finding::warning(Subject::Disk, found, advice),
        _ => Finding::good(Subject::Disk, found),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{OciRuntime, Report, Verdict};

    fn healthy() -> EngineFacts {
        EngineFacts {
            version: "29.5.1".to_owned(),
            api_version: "1.54".to_owned(),
            runtime: Some(OciRuntime { name: "runc".to_owned(), version: "1.4.3".to_owned() }),
            rootless: true,
            user_namespaces: true,
            seccomp: true,
            cgroup_version: "2".to_owned(),
            cgroup_driver: "systemd".to_owned(),
            limits_memory: true,
            limits_processes: true,
            limits_cpus: true,
            storage_driver: "overlay2".to_owned(),
            storage_folder: "/var/lib/docker".to_owned(),
            free_bytes: Some(77 << 30),
            ..EngineFacts::default()
        }
    }

    fn verdict(facts: &EngineFacts, subject: Subject) -> Verdict {
        judge(facts).iter().find(|finding| finding.subject == subject).unwrap().verdict
    }

    #[test]
    fn says_what_an_engine_cannot_limit() {
        let nothing = EngineFacts { cgroup_driver: "none".to_owned(), ..healthy() };
        assert_eq!(unlimited(&nothing).as_deref(), Some("memory, processes and processors"));
        let rootless = EngineFacts { rootless: true, cgroup_version: "1".to_owned(), ..healthy() };
        assert_eq!(unlimited(&rootless), unlimited(&nothing));
        let some = EngineFacts { limits_memory: false, limits_cpus: false, ..healthy() };
        assert_eq!(unlimited(&some).as_deref(), Some("memory and processors"));
        assert_eq!(unlimited(&healthy()), None);
    }

    #[test]
    fn finds_nothing_wrong_with_a_healthy_engine() {
        let report = Report { findings: judge(&healthy()), ..Report::default() };
        insta::assert_snapshot!(report, @r"
        good     engine           Docker Engine 29.5.1, API 1.54
        good     runtime          runc 1.4.3
        good     known flaws      none that this library knows of
        good     user namespaces  the engine runs without root
        good     seccomp          system calls are filtered
        good     limits           cgroups version 2, driver systemd
        good     storage          overlay2 in /var/lib/docker
        good     disk             77.0 GiB free in /var/lib/docker
        ");
    }

    #[test]
    fn judges_each_fact_by_itself() {
        let bad = |change: fn(&mut EngineFacts), subject| {
            let mut facts = healthy();
            change(&mut facts);
            let worse: Vec<_> =
                judge(&facts).into_iter().filter(|found| found.verdict != Verdict::Good).collect();
            assert_eq!(worse.iter().map(|found| found.subject).collect::<Vec<_>>(), [subject]);
            assert!(worse.iter().all(|found| found.advice.is_some()), "each has advice");
            worse[0].verdict
        };
        assert_eq!(bad(|facts| facts.api_version = "1.40".into(), Subject::Engine), Verdict::Bad);
        assert_eq!(bad(|facts| facts.seccomp = false, Subject::Seccomp), Verdict::Bad);
        assert_eq!(bad(|facts| facts.limits_memory = false, Subject::Limits), Verdict::Bad);
        assert_eq!(bad(|facts| facts.cgroup_driver = "none".into(), Subject::Limits), Verdict::Bad);
        assert_eq!(bad(|facts| facts.cgroup_version = "1".into(), Subject::Limits), Verdict::Bad);
        assert_eq!(bad(|facts| facts.storage_driver = "vfs".into(), Subject::Storage), Verdict::Warning);
        assert_eq!(bad(|facts| facts.free_bytes = Some(5 << 30), Subject::Disk), Verdict::Warning);
        assert_eq!(bad(|facts| facts.free_bytes = Some(5 << 20), Subject::Disk), Verdict::Bad);
    }

    #[test]
    fn warns_of_an_engine_that_is_root_without_user_namespaces() {
        let remapped = EngineFacts { rootless: false, ..healthy() };
        assert_eq!(verdict(&remapped, Subject::UserNamespaces), Verdict::Good);
        let root = EngineFacts { user_namespaces: false, ..remapped };
        assert_eq!(verdict(&root, Subject::UserNamespaces), Verdict::Warning);
    }

    #[test]
    fn warns_of_old_cgroups_which_only_root_can_use() {
        let remapped = EngineFacts { rootless: false, cgroup_version: "1".to_owned(), ..healthy() };
        assert_eq!(verdict(&remapped, Subject::Limits), Verdict::Warning);
    }

    #[test]
    fn warns_of_a_podman_that_cannot_tell_a_cage_where_its_host_is() {
        let podman = |version: &str| EngineFacts {
            product: Product::Podman,
            version: version.to_owned(),
            api_version: "1.41".to_owned(),
            ..healthy()
        };
        assert_eq!(verdict(&podman("4.3.1"), Subject::Engine), Verdict::Warning);
        assert_eq!(verdict(&podman("4.7.0"), Subject::Engine), Verdict::Good);
        assert_eq!(verdict(&podman("5.0.0-rc1"), Subject::Engine), Verdict::Good);
    }

    #[test]
    fn judges_an_endpoint_by_who_else_may_use_it() {
        let verdict = |address| judge_endpoint(&Endpoint::named(address).unwrap()).verdict;
        assert_eq!(verdict("unix:///var/run/docker.sock"), Verdict::Good);
        assert_eq!(verdict("ssh://me@build"), Verdict::Good);
        assert_eq!(verdict("http://127.0.0.1:2375"), Verdict::Warning);
        assert_eq!(verdict("http://build:2375"), Verdict::Bad);
    }
}
