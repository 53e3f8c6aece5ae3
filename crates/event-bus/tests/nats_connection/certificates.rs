//! Encrypted connections.

use std::path::PathBuf;

use omni_event_bus::{Error, EventBus, NatsOptions, Tls, testing::NatsServer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::{orders, refusal};

/// An authority and what it signs, as files.
struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(directory.path().join("ca.pem"), params.self_signed(&key).unwrap().pem())
            .unwrap();
        Self { directory, issuer: Issuer::new(params, key) }
    }

    fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for a name, and its key.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |end| self.directory.path().join(format!("{name}.{end}"));
        std::fs::write(path("pem"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("pem"), path("key"))
    }

    /// A server with TLS, that asks for the client's certificate as well if `verify`.
    async fn server(&self, verify: bool) -> NatsServer {
        let (certificate, key) = self.sign("127.0.0.1");
        NatsServer::start_with(&format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {verify} }}",
            certificate.display(),
            key.display(),
            self.ca().display(),
        ))
        .await
    }
}

fn with(server: &NatsServer, tls: Tls) -> NatsOptions {
    NatsOptions { tls, ..NatsOptions::new(server.url()) }
}

async fn lets_in(options: NatsOptions) {
    let bus = EventBus::nats(options).await.unwrap();
    assert_eq!(bus.publish_raw(orders(100)).await.unwrap().len(), 100);
}

async fn refuses(options: NatsOptions, words: &str) {
    let (error, text) = refusal(options).await;
    assert!(matches!(error, Error::Connect { .. }) && text.contains(words), "{text}");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_our_authority_is_trusted_and_no_other() {
    let authority = Authority::new();
    let server = authority.server(false).await;
    let trusting = Tls { ca_file: Some(authority.ca()), ..Tls::default() };
    lets_in(with(&server, trusting.clone())).await;
    lets_in(with(&server, Tls { required: true, ..trusting.clone() })).await;
    let url = server.url().replace("nats://", "tls://");
    lets_in(NatsOptions { tls: trusting, ..NatsOptions::new(url) }).await;

    let other = Authority::new();
    refuses(with(&server, Tls { ca_file: Some(other.ca()), ..Tls::default() }), "certificate")
        .await;
    let missing = other.directory.path().join("none.pem");
    refuses(with(&server, Tls { ca_file: Some(missing), ..Tls::default() }), "none.pem").await;
}

#[tokio::test]
async fn a_server_that_asks_for_our_certificate_gets_it() {
    let authority = Authority::new();
    let server = authority.server(true).await;
    let tls = |client| Tls { required: true, ca_file: Some(authority.ca()), client };
    lets_in(with(&server, tls(Some(authority.sign("client.test"))))).await;
    refuses(with(&server, tls(None)), "could not connect").await;
}

#[tokio::test]
async fn what_must_be_encrypted_is_not_sent_in_the_clear() {
    let server = NatsServer::start().await;
    let authority = Authority::new();
    let tls = Tls { required: true, ca_file: Some(authority.ca()), client: None };
    refuses(with(&server, tls), "TLS").await;
}
