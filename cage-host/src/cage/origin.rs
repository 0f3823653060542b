//! What a cage was created with, so that another one can be created like it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::credential::is_credential;
use super::extra_folder::{ExtraFolder, as_list, to_label};
use super::labels;
use super::sent::Sent;
use super::spec::{CageSpec, Network, PlannedCage};
use crate::error::RequestError;

/// The settings of a cage. As JSON they are in a label of each snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The cage itself.
    pub(crate) cage: String,
    pub(crate) image: String,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) cpus: Option<f64>,
    pub(crate) pids: Option<u32>,
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) runtime: Option<String>,
    pub(crate) network_open: bool,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) labels: BTreeMap<String, String>,
    /// When the first cage was created from which its files come, in seconds since 1970.
    #[serde(default)]
    pub(crate) written_since: i64,
    /// Its extra folders when the copy was made.
    #[serde(default, with = "as_list")]
    pub(crate) folders: Vec<ExtraFolder>,
}

impl Origin {
    /// Plans a cage of the same settings and with the same folders, which come with its home.
    pub(crate) fn plan(self, name: &str, image: String) -> Result<PlannedCage, RequestError> {
        let (folders, since) = (to_label(&self.folders), self.written_since.to_string());
        let sent = Sent::labels_of_copy(&self.labels);
        let mut plan = self.spec(name, image).plan()?;
        plan.labels.extend(sent);
        plan.labels.insert(labels::FOLDERS.to_owned(), folders);
        plan.labels.insert(labels::WRITTEN_SINCE.to_owned(), since);
        Ok(plan)
    }

    /// Returns the wish for a cage of the same settings, with an image of its own choice. What identifies the cage, and
    /// a credential in its environment, is left out.
    fn spec(self, name: &str, image: String) -> CageSpec {
        let mut spec = CageSpec::empty(name).image(image);
        spec = self.memory_bytes.into_iter().fold(spec, CageSpec::memory_bytes);
        spec = self.cpus.into_iter().fold(spec, CageSpec::cpus);
        spec = self.pids.into_iter().fold(spec, CageSpec::pids);
        spec = self.disk_bytes.into_iter().fold(spec, CageSpec::disk_bytes);
        spec = self.runtime.into_iter().fold(spec, CageSpec::runtime);
        spec = spec.network(if self.network_open { Network::Open } else { Network::None });
        for (name, value) in self.env.into_iter().filter(|(name, _)| !is_credential(name)) {
            spec = spec.env(name, value);
        }
        // One that this version does not know is none.
        let mode = self.labels.get(labels::AUTH_MODE).and_then(|mode| mode.parse().ok());
        spec = mode.into_iter().fold(spec, CageSpec::auth_mode);
        let own = self.labels.into_iter().filter(|(name, _)| !name.starts_with(labels::PREFIX));
        own.fold(spec, |spec, (name, value)| spec.label(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::extra_folder::from_label;
    use super::*;

    #[test]
    fn leaves_out_what_identifies_a_cage_and_a_credential() {
        let pair = |name: &str| (name.to_owned(), "x".to_owned());
        let origin = Origin {
            cage: "demo".to_owned(),
            image: "cage:latest".to_owned(),
            memory_bytes: Some(64 << 20),
            cpus: Some(0.5),
            pids: None,
            disk_bytes: None,
            runtime: Some("runsc".to_owned()),
            network_open: false,
            env: vec![pair("COLOUR"), pair("ANTHROPIC_API_KEY")],
            labels: [
                pair("team"),
                pair("dev.cage.name"),
                (labels::AUTH_MODE.to_owned(), "gateway".to_owned()),
            ]
            .into(),
            written_since: 1_700_000_000,
            folders: from_label(r#"[{"place":"docs","dir":"/srv/docs"}]"#),
        };
        let written = serde_json::to_string(&origin).unwrap();
        assert_eq!(serde_json::from_str::<Origin>(&written).unwrap(), origin);
        let plan = origin.plan("other", "cage:latest".to_owned()).unwrap();
        assert_eq!(plan.labels[labels::FOLDERS], r#"[{"place":"docs","dir":"/srv/docs"}]"#);
        assert_eq!(plan.labels[labels::WRITTEN_SINCE], "1700000000");
        assert_eq!(plan.env, [pair("COLOUR")]);
        assert_eq!((plan.labels["team"].as_str(), plan.labels[labels::NAME].as_str()), ("x", "other"));
        assert_eq!(plan.labels[labels::AUTH_MODE], "gateway");
        assert_eq!(plan.runtime.as_deref(), Some("runsc"), "isolated as much as the other one");
        assert_eq!((plan.resources.memory_bytes, plan.network), (64 << 20, Network::None));
    }
}
