//! Building the image.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;

use super::client::Engine;
use super::error::Blame;
use crate::cage::labels;
use crate::error::{EngineError, Result};
use crate::image::ImageSpec;
use crate::sanitize::sanitize;
use crate::transfer::pack_context;

const BUILD: &str = "build the image";

/// Longest silence of a build: one step that downloads some hundred megabytes prints nothing meanwhile.
const BUILD_SILENCE: Duration = Duration::from_secs(1_800);

impl Engine {
    /// Builds an image and hands each line of the build's output to the spec's listener.
    pub(crate) async fn build_image(&self, mut spec: ImageSpec) -> Result<()> {
        let mut arguments: HashMap<_, _> = HashMap::new();
        arguments.extend(spec.arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let labels = HashMap::from([(labels::MANAGED, "true"), (labels::VERSION, env!("CARGO_PKG_VERSION"))]);
        let network = if spec.host_network { "host" } else { "default" };
        let options = BuildImageOptionsBuilder::new()
            .dockerfile("Dockerfile")
            .t(&spec.tag)
            .rm(true)
            .forcerm(true)
            .networkmode(network)
            .buildargs(&arguments)
            .labels(&labels)
            .build();
        let mut packing = pack_context(spec.context.clone(), spec.files.clone());
        let body = stream::poll_fn(move |context| packing.stream.poll_recv(context));
        // The engine answers when the whole context is there, which can take longer than other calls may.
        let docker = self.docker.clone().with_timeout(BUILD_SILENCE);
        let mut steps = docker.build_image(options, None, Some(bollard::body_stream(body)));
        let outcome = loop {
            match timeout(BUILD_SILENCE, steps.next()).await {
                Err(_) => break Err(EngineError::TimedOut { operation: BUILD, after: BUILD_SILENCE }.into()),
                Ok(None) => break Ok(()),
                Ok(Some(Ok(step))) => match report(&mut spec, step) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                Ok(Some(Err(error))) => break Err(Blame::from(error).into_error(BUILD)),
            }
        };
        // A context that could not be read is the cause of whatever the engine says about it.
        let packed = packing.done.await;
        packed.map_err(|error| EngineError::Lost { operation: BUILD, reason: error.to_string() })??;
        outcome
    }
}

fn report(spec: &mut ImageSpec, step: BuildInfo) -> Result<()> {
    if let Some(text) = step.stream.or(step.status) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            (spec.listener)(&sanitize(line));
        }
    }
    match step.error_detail.and_then(|detail| detail.message) {
        Some(message) => {
            Err(EngineError::Refused { operation: BUILD, reason: sanitize(message.trim()) }.into())
        }
        None => Ok(()),
    }
}
