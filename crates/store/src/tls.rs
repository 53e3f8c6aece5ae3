//! Encryption of connections to PostgreSQL: which certificates are believed, and the handshake.
//!
//! What must stay true: `require` and the modes above it never talk to a server that could not prove who it is.

mod binding;
mod verifier;

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use rustls::{
    ClientConfig, RootCertStore,
    client::WebPkiServerVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Socket,
    config::{SslMode, SslNegotiation},
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_rustls::{TlsConnector, client};

use self::verifier::{AnyName, Anybody};

/// What a client of PostgreSQL says first when it does not ask for encryption but begins with it.
const ALPN: &[u8] = b"postgresql";

/// How much a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Not at all.
    Disable,
    /// From listeners, if the server can; whoever answers is believed.
    Prefer,
    /// Fully, under the name that most URLs use; libpq would believe whoever answers.
    Require,
    /// Like full, but the certificate may be for another name.
    VerifyCa,
    /// The server's certificate must be for its name and from somebody trusted.
    VerifyFull,
}

impl Mode {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }

    pub(crate) fn for_driver(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

/// Who may vouch for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The public authorities that browsers trust, built into this program.
    Public,
    /// The certificates in a PEM file.
    File(PathBuf),
}

/// Starts encrypted connections; a clone is one attempt to connect.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    encrypted: Arc<AtomicBool>,
}

impl Connector {
    /// Reads the certificates once: a changed file is seen by the next process.
    pub(crate) fn new(
        mode: Mode,
        roots: &Roots,
        negotiation: SslNegotiation,
    ) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let text = |error: rustls::Error| error.to_string();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(text)?;
        let config = match mode {
            Mode::Require | Mode::VerifyFull => builder.with_root_certificates(read(roots)?),
            Mode::VerifyCa => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(any_name(roots, provider)?)),
            Mode::Disable | Mode::Prefer => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
        };
        let mut config = config.with_no_client_auth();
        if negotiation == SslNegotiation::Direct {
            config.alpn_protocols = vec![ALPN.to_vec()];
        }
        Ok(Self { config: Arc::new(config), encrypted: Arc::default() })
    }

    /// For one attempt to connect.
    pub(crate) fn attempt(&self) -> Self {
        Self { config: self.config.clone(), encrypted: Arc::default() }
    }

    /// Answers, after the attempt, whether the server was willing to encrypt.
    pub(crate) fn encrypted(&self) -> Arc<AtomicBool> {
        self.encrypted.clone()
    }
}

fn any_name(roots: &Roots, provider: Arc<CryptoProvider>) -> Result<AnyName, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(read(roots)?), provider)
        .build()
        .map(AnyName)
        .map_err(|error| error.to_string())
}

fn read(roots: &Roots) -> Result<RootCertStore, String> {
    let Roots::File(path) = roots else {
        return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    };
    let failed = |reason: String| {
        format!("sslrootcert {}: {reason}; it must be a file with PEM certificates", path.display())
    };
    let mut store = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = found.map_err(|error| failed(error.to_string()))?;
        store.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(failed("it holds no certificate".into()));
    }
    Ok(store)
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = Encrypted;
    type TlsConnect = Handshake;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        let (config, encrypted) = (self.config.clone(), self.encrypted.clone());
        Ok(Handshake { config, encrypted, host: host.to_owned() })
    }
}

/// One handshake to come, if the server wants it.
pub(crate) struct Handshake {
    config: Arc<ClientConfig>,
    encrypted: Arc<AtomicBool>,
    host: String,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            self.encrypted.store(true, Ordering::Release);
            TlsConnector::from(self.config).connect(name, socket).await.map(Encrypted)
        })
    }
}

/// An encrypted connection.
pub(crate) struct Encrypted(client::TlsStream<Socket>);

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let hash = certificate.and_then(|certificate| binding::hash(certificate));
        hash.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
