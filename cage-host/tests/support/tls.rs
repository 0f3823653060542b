//! An engine behind TLS: in front of the real one, a server that asks for certificates as `dockerd --tlsverify` does.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::docker_socket;

/// Makes an authority, and certificates of it for the server and for a client, by the names that Docker uses.
const CERTIFICATES: &str = r#"set -e
new="openssl req -newkey rsa:2048 -nodes -subj /CN=cage-test"
$new -x509 -days 2 -keyout ca-key.pem -out ca.pem
sign() { openssl x509 -req -days 2 -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile "$1.ext" -in "$1.csr" -out "$2"; }
echo "subjectAltName=IP:127.0.0.1" > server.ext
$new -keyout server-key.pem -out server.csr; sign server server-cert.pem
echo "extendedKeyUsage=clientAuth" > client.ext
$new -keyout key.pem -out client.csr; sign client cert.pem"#;

/// The server, which ends with this.
pub(crate) struct TlsEngine {
    pub(crate) certificates: TempDir,
    pub(crate) address: String,
    server: JoinHandle<()>,
}

impl TlsEngine {
    pub(crate) async fn start() -> Self {
        let certificates = certificates();
        let acceptor = TlsAcceptor::from(Arc::new(configuration(certificates.path())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that is refused is what some tests are about.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut engine = UnixStream::connect(docker_socket()).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut engine).await;
                });
            }
        });
        Self { certificates, address, server }
    }
}

impl Drop for TlsEngine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A folder of certificates by an authority of its own.
pub(crate) fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn configuration(folder: &Path) -> ServerConfig {
    let read = |name: &str| -> Vec<_> {
        CertificateDer::pem_file_iter(folder.join(name)).unwrap().map(Result::unwrap).collect()
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(read("ca.pem").remove(0)).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server-key.pem")).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(read("server-cert.pem"), key)
        .unwrap()
}
