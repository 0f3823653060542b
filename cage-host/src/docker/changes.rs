//! What changes about containers of ours, as the engine says it.

use std::collections::HashMap;

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;

use super::client::Engine;
use super::error::Blame;
use crate::backend::Changes;
use crate::cage::labels;

/// Events after which a list of cages may be another one. Programs in containers, of which there are many more, are
/// none of them.
const EVENTS: [&str; 7] = ["create", "start", "die", "pause", "unpause", "destroy", "rename"];

impl Engine {
    /// Tells whenever a container of ours changes, until the connection ends.
    pub(crate) fn changes(&self) -> Changes {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![format!("{}=true", labels::MANAGED)]),
            ("event", EVENTS.map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let told = self.docker.events(Some(options));
        told.map(|event| match event {
            Ok(_) => Ok(()),
            Err(error) => Err(Blame::from(error).into_error("tell what changes")),
        })
        .boxed()
    }
}
