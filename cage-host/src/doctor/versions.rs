//! Versions with known ways out of a container. Each row was taken from the project's own advisory or release notes.

use super::report::{EngineFacts, Finding, Product, Subject, Verdict};

/// One published flaw of a program that holds containers.
struct Flaw {
    /// `runc`, or `engine` for Docker Engine.
    program: &'static str,
    /// What it is called.
    id: &'static str,
    /// The first version without it in each line of releases, the oldest first. Older lines have no such version,
    /// newer ones never had the flaw.
    fixed: &'static [[u32; 3]],
    verdict: Verdict,
    what: &'static str,
    advice: &'static str,
}

/// Sources:
/// - CVE-2024-21626: <https://github.com/opencontainers/runc/security/advisories/GHSA-xr7r-f8xq-vfvv>
/// - CVE-2025-31133: <https://github.com/opencontainers/runc/security/advisories/GHSA-9493-h29p-rfm2>, with
///   CVE-2025-52565 and CVE-2025-52881 in the same releases (runc's CHANGELOG, 2025-11-05)
/// - CVE-2026-41579: <https://github.com/opencontainers/runc/releases/tag/v1.4.3>
/// - CVE-2026-41567: <https://github.com/moby/moby/security/advisories/GHSA-x86f-5xw2-fm2r>, with CVE-2026-41568 and
///   CVE-2026-42306 fixed in the same release
const FLAWS: [Flaw; 4] = [
    Flaw {
        program: "runc",
        id: "CVE-2024-21626",
        fixed: &[[1, 1, 12]],
        verdict: Verdict::Bad,
        what: "a working folder that leads out of the container",
        advice: "update runc to 1.3.6 or newer",
    },
    Flaw {
        program: "runc",
        id: "CVE-2025-31133",
        fixed: &[[1, 2, 8], [1, 3, 3], [1, 4, 0]],
        verdict: Verdict::Bad,
        what: "writes to /proc of the machine by way of masked paths",
        advice: "update runc to 1.3.6 or newer",
    },
    Flaw {
        program: "runc",
        id: "CVE-2026-41579",
        fixed: &[[1, 3, 6], [1, 4, 3], [1, 5, 0]],
        verdict: Verdict::Warning,
        what: "an image whose /dev is a link can make a few files on the machine",
        advice: "update runc to 1.3.6 or newer, and use images that you built",
    },
    Flaw {
        program: "engine",
        id: "CVE-2026-41567",
        fixed: &[[29, 5, 1]],
        verdict: Verdict::Warning,
        what: "`docker cp` into a container can run a program of the container as root of the machine",
        advice: "update to Docker Engine 29.5.1 or newer, and do not use `docker cp` on a cage; this library does not",
    },
];

/// Returns a finding for each flaw of these versions, or one that none is known.
pub(super) fn known_flaws(facts: &EngineFacts) -> Vec<Finding> {
    let found: Vec<_> = FLAWS.iter().filter_map(|flaw| flaw.in_engine(facts)).collect();
    if found.is_empty() {
        return vec![Finding::good(Subject::KnownFlaws, "none that this library knows of")];
    }
    found
}

impl Flaw {
    fn in_engine(&self, facts: &EngineFacts) -> Option<Finding> {
        let runtime = facts.runtime.as_ref().filter(|runtime| runtime.name == self.program);
        let docker = (self.program == "engine" && facts.product == Product::Docker).then_some(&facts.version);
        let text = runtime.map(|runtime| &runtime.version).or(docker)?;
        let flawed = !self.is_fixed_in(Version::parse(text)?);
        flawed.then(|| self.finding(text))
    }

    fn is_fixed_in(&self, version: Version) -> bool {
        let line = self.fixed.iter().find(|fixed| fixed[..2] == version.number[..2]);
        let newest = self.fixed.last().is_some_and(|fixed| version.number[..2] > fixed[..2]);
        newest
            || line
                .is_some_and(|fixed| version.number > *fixed || (version.number == *fixed && !version.early))
    }

    /// A distribution mends old versions without giving them a new number, so there it may be mended.
    fn finding(&self, version: &str) -> Finding {
        let what = format!("{} ({})", self.id, self.what);
        let name = if self.program == "engine" { "Docker Engine" } else { self.program };
        if self.verdict == Verdict::Bad && is_of_a_distribution(version) {
            let found = format!("{name} {version} may have {what}");
            let advice = format!("look whether the distribution has mended it; if not, {}", self.advice);
            return Finding::warning(Subject::KnownFlaws, found, advice);
        }
        let found = format!("{name} {version} has {what}");
        Finding { verdict: self.verdict, ..Finding::warning(Subject::KnownFlaws, found, self.advice) }
    }
}

/// Debian and Ubuntu write `1.1.5+ds1` or `1.1.12-0ubuntu2`, Fedora `1.1.12-1.fc40`.
fn is_of_a_distribution(version: &str) -> bool {
    ["+ds", "+dfsg", "~", "ubuntu", "deb", ".fc", ".el"].iter().any(|mark| version.contains(mark))
}

/// The number of a version, and whether it is a candidate for it.
#[derive(Debug, Clone, Copy)]
struct Version {
    number: [u32; 3],
    early: bool,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(|character: char| character != '.' && !character.is_ascii_digit());
        let mut parts = text[..end.unwrap_or(text.len())].split('.').map(str::parse);
        let number = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
        Some(Self { number, early: text.contains("-rc") || text.contains("~rc") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::OciRuntime;

    fn flaws(runc: &str, engine: &str) -> Vec<(Verdict, String)> {
        let runtime = Some(OciRuntime { name: "runc".to_owned(), version: runc.to_owned() });
        let facts = EngineFacts { runtime, version: engine.to_owned(), ..EngineFacts::default() };
        let id = |found: &str| {
            found.split_whitespace().find(|word| word.starts_with("CVE")).unwrap_or("none").to_owned()
        };
        known_flaws(&facts).iter().map(|finding| (finding.verdict, id(&finding.found))).collect()
    }

    fn ids(runc: &str, engine: &str) -> Vec<String> {
        flaws(runc, engine).into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn finds_the_flaws_of_a_version_between_two_fixes() {
        assert_eq!(ids("1.1.11", "29.5.1"), ["CVE-2024-21626", "CVE-2025-31133", "CVE-2026-41579"]);
        assert_eq!(ids("1.1.12", "29.5.1"), ["CVE-2025-31133", "CVE-2026-41579"]);
        assert_eq!(ids("1.2.9", "29.5.1"), ["CVE-2026-41579"]);
        assert_eq!(ids("1.3.2", "29.5.1"), ["CVE-2025-31133", "CVE-2026-41579"]);
        assert_eq!(ids("1.3.6", "28.5.2"), ["CVE-2026-41567"]);
    }

    #[test]
    fn finds_none_in_versions_that_are_mended() {
        for runc in ["1.3.6", "1.3.7", "1.4.3", "1.5.0", "1.6.0", "2.0.0"] {
            assert_eq!(flaws(runc, "29.5.1"), [(Verdict::Good, "none".to_owned())], "{runc}");
        }
    }

    #[test]
    fn says_nothing_of_a_version_that_it_cannot_read() {
        assert_eq!(ids("unknown", ""), ["none"]);
    }

    #[test]
    fn leaves_it_open_whether_a_distribution_has_mended_an_old_version() {
        let (verdict, id) = flaws("1.1.5+ds1", "29.5.1").remove(0);
        assert_eq!((verdict, id.as_str()), (Verdict::Warning, "CVE-2024-21626"));
        let (verdict, _) = flaws("1.1.5", "29.5.1").remove(0);
        assert_eq!(verdict, Verdict::Bad);
    }

    #[test]
    fn takes_a_candidate_for_older_than_what_it_is_a_candidate_for() {
        assert_eq!(ids("1.5.0-rc.2", "29.5.1"), ["CVE-2026-41579"]);
    }
}
