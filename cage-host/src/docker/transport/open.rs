//! From an endpoint to bollard's client.

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::TokioExecutor;

use super::ssh::SshConnector;
use crate::docker::client::CALL_DEADLINE;
use crate::docker::error::root_cause;
use crate::endpoint::{Address, Certificates, Endpoint};
use crate::error::{EngineError, Result};

/// Makes a client. Nothing is sent yet.
pub(in crate::docker) fn open(endpoint: &Endpoint) -> Result<Docker> {
    let (seconds, version) = (CALL_DEADLINE.as_secs(), API_DEFAULT_VERSION);
    let client = match (&endpoint.address, &endpoint.certificates) {
        (Address::Unix(path), _) => Docker::connect_with_unix(&path.to_string_lossy(), seconds, version),
        (Address::Tcp { authority, .. }, None) => Docker::connect_with_http(authority, seconds, version),
        (Address::Tcp { authority, .. }, Some(certificates)) => return over_tls(authority, certificates),
        // The name in the address is only what the engine is told; the connector knows whom it calls.
        (Address::Ssh(target), _) => over(SshConnector::new(target.clone()), "http://docker"),
    };
    client.map_err(|error| unreachable(endpoint, &error))
}

fn unreachable(endpoint: &Endpoint, error: &bollard::errors::Error) -> crate::Error {
    EngineError::Unreachable { endpoint: endpoint.to_string(), reason: root_cause(error) }.into()
}

#[cfg(feature = "tls")]
fn over_tls(authority: &str, certificates: &Certificates) -> Result<Docker> {
    let address = format!("https://{authority}");
    over(super::tls::connector(certificates)?, &address)
        .map_err(|error| EngineError::Unreachable { endpoint: address, reason: root_cause(&error) }.into())
}

#[cfg(not(feature = "tls"))]
fn over_tls(authority: &str, _: &Certificates) -> Result<Docker> {
    let reason = "this program was built without TLS (the feature `tls` of cage-host)".to_owned();
    Err(crate::error::RequestError::Endpoint { endpoint: format!("https://{authority}"), reason }.into())
}

/// A connection for each request, as bollard itself has it: an idle one may have died without a sign.
fn over<C>(connector: C, address: &str) -> Result<Docker, bollard::errors::Error>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let transport = move |request: BollardRequest| {
        let client = client.clone();
        async move { client.request(request).await.map_err(bollard::errors::Error::from) }
    };
    Docker::connect_with_custom_transport(
        transport,
        Some(address),
        CALL_DEADLINE.as_secs(),
        API_DEFAULT_VERSION,
    )
}
