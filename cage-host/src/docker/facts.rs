//! What an engine says of itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bollard::models::{SystemInfo, SystemVersion, SystemVersionComponents};

use super::client::Engine;
use super::error::Blame;
use crate::doctor::{EngineFacts, OciRuntime, Product, unlimited};
use crate::endpoint::{Address, Endpoint};
use crate::error::Result;
use crate::sanitize::sanitize;

/// Docker Desktop's engine lives in a virtual machine, whose folders are not those of this machine.
const DESKTOP: &str = "Docker Desktop";

impl Engine {
    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks the engine what it is made of.
    pub(crate) async fn facts(&self) -> Result<EngineFacts> {
        const OPERATION: &str = "describe itself";
        let version = self.call(OPERATION, self.docker.version()).await?;
        let info = self.call(OPERATION, self.docker.info()).await?;
        let free_bytes = self.free_bytes(&info);
        let rootless_podman = self.is_of_another_user() || is_in_a_home(&info);
        let api_version = version.api_version.clone().unwrap_or_default();
        let mut facts = EngineFacts { api_version, free_bytes, ..facts(&version, info) };
        if facts.product == Product::Podman && rootless_podman {
            (facts.rootless, facts.user_namespaces) = (true, true);
        }
        Ok(facts.sanitized())
    }

    /// Tells whether an image exists.
    pub(crate) async fn has_image(&self, image: &str) -> Result<bool> {
        const OPERATION: &str = "look for the image";
        match self.try_call(OPERATION, self.docker.inspect_image(image)).await? {
            Ok(_) => Ok(true),
            Err(Blame::NotFound) => Ok(false),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }

    /// Returns what of a container the engine cannot limit.
    pub(super) fn unlimited(&self, info: SystemInfo) -> Option<String> {
        let rootless = (self.is_of_another_user() || is_in_a_home(&info)) && !is_desktop(&info);
        let mut facts = facts(&SystemVersion::default(), info);
        facts.rootless |= rootless;
        unlimited(&facts)
    }

    /// Says whether the engine's socket is not root's.
    fn is_of_another_user(&self) -> bool {
        let Address::Unix(socket) = &self.endpoint.address else { return false };
        socket.metadata().is_ok_and(|metadata| metadata.uid() != 0)
    }

    /// The room where it stores, if that folder is one of this machine.
    fn free_bytes(&self, info: &SystemInfo) -> Option<u64> {
        let local = matches!(self.endpoint.address, Address::Unix(_));
        let folder = info.docker_root_dir.as_deref().map(Path::new).filter(|folder| folder.is_dir())?;
        let stat = rustix::fs::statvfs(folder).ok().filter(|_| local && !is_desktop(info))?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Says whether an engine stores in a user's home. Podman's answers in the form of Docker's do not say that it runs
/// without root, but this is where it stores then.
fn is_in_a_home(info: &SystemInfo) -> bool {
    info.docker_root_dir.as_deref().is_some_and(|folder| folder.contains("/.local/share/containers/"))
}

fn is_desktop(info: &SystemInfo) -> bool {
    info.operating_system.as_deref().is_some_and(|system| system.contains(DESKTOP))
}

fn facts(version: &SystemVersion, info: SystemInfo) -> EngineFacts {
    let components = version.components.as_deref().unwrap_or_default();
    let podman = components.iter().any(|component| component.name.starts_with("Podman"));
    let options = info.security_options.unwrap_or_default();
    // Each option is a list: "name=seccomp,profile=default".
    let has =
        |name: &str| options.iter().any(|option| option.split(',').next() == Some(&format!("name={name}")));
    EngineFacts {
        product: if podman { Product::Podman } else { Product::Docker },
        version: version.version.clone().unwrap_or_default(),
        runtime: components.iter().find_map(runtime),
        rootless: has("rootless"),
        user_namespaces: has("userns") || has("rootless"),
        seccomp: has("seccomp") && !options.iter().any(|option| option.contains("profile=unconfined")),
        cgroup_version: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
        cgroup_driver: info.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default(),
        limits_memory: info.memory_limit.unwrap_or_default(),
        limits_processes: info.pids_limit.unwrap_or_default(),
        limits_cpus: info.cpu_cfs_quota.unwrap_or_default(),
        storage_driver: info.driver.unwrap_or_default(),
        storage_folder: info.docker_root_dir.unwrap_or_default(),
        ..EngineFacts::default()
    }
}

/// Docker names a component `runc`; Podman names one `OCI Runtime (runc)` and puts its name before the version too.
fn runtime(component: &SystemVersionComponents) -> Option<OciRuntime> {
    let name = component.name.strip_prefix("OCI Runtime (").and_then(|name| name.strip_suffix(')'));
    let name = name.or_else(|| ["runc", "crun"].into_iter().find(|name| component.name == *name))?;
    let number = |word: &&str| word.starts_with(|character: char| character.is_ascii_digit());
    let version = component.version.split_whitespace().find(number).unwrap_or(&component.version);
    Some(OciRuntime { name: sanitize(name), version: sanitize(version) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, version: &str) -> Option<(String, String)> {
        let component = SystemVersionComponents { name: name.into(), version: version.into(), details: None };
        runtime(&component).map(|runtime| (runtime.name, runtime.version))
    }

    #[test]
    fn finds_the_runtime_in_what_either_engine_says() {
        assert_eq!(found("runc", "1.1.5+ds1"), Some(("runc".into(), "1.1.5+ds1".into())));
        let podman = found("OCI Runtime (crun)", "crun version 1.8.1\ncommit: f8a0\n");
        assert_eq!(podman, Some(("crun".into(), "1.8.1".into())));
        assert_eq!(found("containerd", "1.6.20"), None);
    }
}
