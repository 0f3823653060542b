//! Building the image.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::client::Engine;
use super::error::Blame;
use crate::cage::labels;
use crate::error::{EngineError, Result};
use crate::image::ImageSpec;
use crate::sanitize::sanitize;
use crate::transfer::{Arrival, pack_context};

const BUILD: &str = "build the image";

/// Longest silence of a build: one step that downloads some hundred megabytes prints nothing meanwhile.
const BUILD_SILENCE: Duration = Duration::from_secs(1_800);

/// What the engine says that has not been asked for yet; it waits when this is full.
const NEWS_IN_FLIGHT: usize = 64;

/// What bollard hands out for one line of the engine's answer.
type Step = Result<BuildInfo, bollard::errors::Error>;

/// A build under way; the engine gives it up when this is dropped.
#[derive(Debug)]
pub(crate) struct BuildSteps {
    steps: mpsc::Receiver<Step>,
    packed: Option<JoinHandle<Result<Arrival>>>,
}

/// What the engine said in one go.
#[derive(Debug, Default)]
pub(crate) struct BuildNews {
    /// Lines of output, as they came.
    pub(crate) text: String,
    /// The image's id, said once at the end.
    pub(crate) image: Option<String>,
}

impl Engine {
    /// Starts to build an image.
    pub(crate) fn start_build(&self, spec: ImageSpec) -> BuildSteps {
        let mut arguments: HashMap<_, _> = HashMap::new();
        arguments.extend(spec.arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let labels = HashMap::from([(labels::MANAGED, "true"), (labels::VERSION, env!("CARGO_PKG_VERSION"))]);
        let network = if spec.host_network { "host" } else { "default" };
        let options = BuildImageOptionsBuilder::new()
            .dockerfile(&spec.dockerfile)
            .t(&spec.tag)
            .rm(true)
            .forcerm(true)
            .networkmode(network)
            .buildargs(&arguments)
            .labels(&labels)
            .build();
        let mut packing = pack_context(spec.context, spec.files);
        let body = stream::poll_fn(move |context| packing.stream.poll_recv(context));
        // The engine answers when the whole context is there, which can take longer than other calls may.
        let docker = self.docker.clone().with_timeout(BUILD_SILENCE);
        let (news, steps) = mpsc::channel(NEWS_IN_FLIGHT);
        tokio::spawn(async move {
            forward(docker.build_image(options, None, Some(bollard::body_stream(body))), news).await;
        });
        BuildSteps { steps, packed: Some(packing.done) }
    }
}

/// Passes the engine's answer on until nobody wants it.
async fn forward(answer: impl Stream<Item = Step>, news: mpsc::Sender<Step>) {
    let mut answer = std::pin::pin!(answer);
    loop {
        let step = tokio::select! {
            step = answer.next() => step,
            () = news.closed() => return,
        };
        let Some(step) = step else { return };
        if news.send(step).await.is_err() {
            return;
        }
    }
}

impl BuildSteps {
    /// Returns what the engine says next, `None` at the end of a build that went well.
    pub(crate) async fn next(&mut self) -> Result<Option<BuildNews>> {
        let outcome = match timeout(BUILD_SILENCE, self.steps.recv()).await {
            Err(_) => Err(EngineError::TimedOut { operation: BUILD, after: BUILD_SILENCE }.into()),
            Ok(None) => Ok(None),
            Ok(Some(step)) => {
                step.map_err(|error| Blame::from(error).into_error(BUILD)).and_then(news).map(Some)
            }
        };
        if let Ok(Some(_)) = outcome {
            return outcome;
        }
        // A context that could not be read is the cause of whatever the engine says about it.
        if let Some(packed) = self.packed.take() {
            packed
                .await
                .map_err(|error| EngineError::Lost { operation: BUILD, reason: error.to_string() })??;
        }
        outcome
    }
}

fn news(step: BuildInfo) -> Result<BuildNews> {
    if let Some(message) = step.error_detail.and_then(|detail| detail.message) {
        return Err(EngineError::Refused { operation: BUILD, reason: sanitize(message.trim()) }.into());
    }
    let text = step.stream.or(step.status).unwrap_or_default();
    Ok(BuildNews { text, image: step.aux.and_then(|image| image.id) })
}
