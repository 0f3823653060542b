//! What an engine can do for a cage, asked before one is made.

use bollard::models::SystemInfo;

use super::client::Engine;
use super::error::Blame;
use crate::cage::PlannedCage;
use crate::error::{EngineError, Error, RequestError, Result};
use crate::sanitize::sanitize;

const DISK_LIMIT: &str = "a limit of its disk";

impl Engine {
    /// Checks whether the engine has the runtime, and may be able to limit the disk, if either is asked for.
    pub(crate) async fn check_abilities(&self, plan: &PlannedCage) -> Result<()> {
        if plan.runtime.is_none() && plan.resources.disk_bytes.is_none() {
            return Ok(());
        }
        let info = self.call("describe itself", self.docker.info()).await?;
        if let Some(runtime) = &plan.runtime {
            check_runtime(runtime, &info)?;
        }
        if plan.resources.disk_bytes.is_some() { check_disk_limit(&info) } else { Ok(()) }
    }

    /// Checks whether the name is free and the image is there.
    pub(crate) async fn check_creatable(&self, plan: &PlannedCage) -> Result<()> {
        const OPERATION: &str = "look for the image";
        self.check_free(&plan.name).await?;
        match self.try_call(OPERATION, self.docker.inspect_image(&plan.image)).await? {
            Ok(_) => Ok(()),
            Err(Blame::NotFound) => Err(EngineError::ImageMissing { image: plan.image.clone() }.into()),
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }
}

fn check_runtime(runtime: &str, info: &SystemInfo) -> Result<()> {
    let mut known: Vec<_> = info.runtimes.iter().flatten().map(|(name, _)| sanitize(name)).collect();
    // A runtime of containerd's is found by its name and need not be registered.
    if known.iter().any(|name| name == runtime) || runtime.contains(['.', '/']) {
        return Ok(());
    }
    known.sort();
    Err(EngineError::RuntimeMissing { runtime: runtime.to_owned(), known }.into())
}

/// Says early that a disk cannot be limited, where that is certain; else the engine decides.
fn check_disk_limit(info: &SystemInfo) -> Result<()> {
    let driver = info.driver.as_deref().unwrap_or_default();
    let status = info.driver_status.iter().flatten();
    let mut backing = status.filter(|pair| pair.first().is_some_and(|name| name == "Backing Filesystem"));
    let backing = backing.next().and_then(|pair| pair.get(1)).map_or("", String::as_str);
    if driver == "overlay2" && !backing.is_empty() && backing != "xfs" {
        return Err(unsupported_disk_limit(&format!(
            "it stores containers with {driver} on {backing}, which has no quotas"
        )));
    }
    Ok(())
}

/// Understands an engine's refusal if it is about the limit of the disk.
pub(super) fn refused_disk_limit(reason: &str) -> Option<Error> {
    // btrfs counts what a container shares with its image.
    if reason.contains("limit qgroup") && reason.contains("quota exceeded") {
        let reason = "the image counts too on this engine, and alone takes more; allow more".to_owned();
        return Some(RequestError::Invalid { what: "disk limit", reason }.into());
    }
    let about = ["storage-opt", "storage option", "StorageOpt"].iter().any(|word| reason.contains(word));
    about.then(|| unsupported_disk_limit(reason))
}

fn unsupported_disk_limit(reason: &str) -> Error {
    EngineError::Unsupported { what: DISK_LIMIT, reason: sanitize(reason.trim()) }.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn info(driver: &str, backing: &str) -> SystemInfo {
        SystemInfo {
            driver: Some(driver.to_owned()),
            driver_status: Some(vec![vec!["Backing Filesystem".to_owned(), backing.to_owned()]]),
            runtimes: Some(HashMap::from([("runc".to_owned(), bollard::models::Runtime::default())])),
            ..SystemInfo::default()
        }
    }

    #[test]
    fn rejects_a_disk_limit_where_there_are_no_quotas() {
        let error = check_disk_limit(&info("overlay2", "extfs")).unwrap_err();
        insta::assert_snapshot!(error, @"the engine cannot give a cage a limit of its disk: it stores containers with overlay2 on extfs, which has no quotas; leave it out, or use another engine");
        assert!(check_disk_limit(&info("overlay2", "xfs")).is_ok(), "the engine knows whether quotas are on");
        assert!(check_disk_limit(&info("btrfs", "")).is_ok());
    }

    #[test]
    fn rejects_a_runtime_that_the_engine_does_not_have() {
        let error = check_runtime("runsc", &info("overlay2", "extfs")).unwrap_err();
        insta::assert_snapshot!(error, @"the engine has no runtime `runsc`, it has runc; install it there, or ask for another");
        assert!(check_runtime("runc", &info("overlay2", "extfs")).is_ok());
        assert!(check_runtime("io.containerd.runsc.v1", &info("overlay2", "extfs")).is_ok());
    }
}
