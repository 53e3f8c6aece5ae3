//! What the receiver fetches: certificates that signatures are checked with, and addresses that confirm a subscription.
//!
//! What must stay true: only addresses are asked that a check has passed, through the guarded way out; few at once and not
//! for long, because a stranger's request may be the reason; and what is kept of it is bounded.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use omni_egress::{Egress, Request};
use tokio::sync::Semaphore;
use url::Url;

/// How long a certificate is used without asking again.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// Certificates that are kept; providers have a few.
const KEPT_MAX: usize = 64;
/// Largest certificate in bytes; a chain in PEM has about 6 KiB.
const CERTIFICATE_LEN_MAX: usize = 32 * 1024;
/// Requests that may be on their way at once: honest senders need one an hour.
const AT_ONCE_MAX: usize = 8;
/// The sender waits for our answer meanwhile.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("too many are being fetched; it is tried again when the request is sent again")]
    Busy,
    #[error("{host} could not be reached: {source}")]
    Unreachable { host: String, source: omni_egress::Error },
    #[error("{host} answered with {status}")]
    Status { host: String, status: u16 },
    #[error("{host} answered with more than {CERTIFICATE_LEN_MAX} bytes")]
    TooLarge { host: String },
}

impl FetchError {
    /// Whether another try may do better, so that the sender should come again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Unreachable { source, .. } => source.is_retryable(),
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            Self::TooLarge { .. } => false,
        }
    }
}

/// Fetches, and keeps certificates by their URL.
#[derive(Debug)]
pub(crate) struct Certificates {
    egress: Egress,
    kept: Mutex<HashMap<Url, Kept>>,
    at_once: Semaphore,
}

#[derive(Debug)]
struct Kept {
    certificate: Bytes,
    at: Duration,
}

impl Certificates {
    pub(crate) fn new(egress: Egress) -> Self {
        Self { egress, kept: Mutex::default(), at_once: Semaphore::new(AT_ONCE_MAX) }
    }

    /// The certificate at a URL that a check has passed.
    pub(crate) async fn get(&self, url: &Url, now: Duration) -> Result<Bytes, FetchError> {
        if let Some(kept) = self.known(url, now) {
            return Ok(kept);
        }
        let certificate = self.fetch(url).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| now.saturating_sub(kept.at) < KEPT_FOR);
        if kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.at).map(|(url, _)| url.clone());
            oldest.map(|url| kept.remove(&url));
        }
        kept.insert(url.clone(), Kept { certificate: certificate.clone(), at: now });
        Ok(certificate)
    }

    fn known(&self, url: &Url, now: Duration) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(url).filter(|kept| now.saturating_sub(kept.at) < KEPT_FOR)?;
        Some(kept.certificate.clone())
    }

    /// Asks for a URL that a check has passed.
    pub(crate) async fn fetch(&self, url: &Url) -> Result<Bytes, FetchError> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let _place = self.at_once.try_acquire().map_err(|_| FetchError::Busy)?;
        let mut request = Request::new(Method::GET, url.clone());
        request.timeout = Some(TIME_MAX);
        let sent = self.egress.send(request).await;
        let response = sent.map_err(|source| FetchError::Unreachable { host: host(), source })?;
        if !response.status.is_success() {
            return Err(FetchError::Status { host: host(), status: response.status.as_u16() });
        }
        if response.truncated || response.body.len() > CERTIFICATE_LEN_MAX {
            return Err(FetchError::TooLarge { host: host() });
        }
        Ok(response.body)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use omni_egress::Config;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers every request with this, and counts them.
    async fn serve(answer: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, count)
    }

    fn certificates() -> Certificates {
        Certificates::new(Egress::new(Config { allow_loopback: true, ..Config::default() }))
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ncert";

    #[tokio::test]
    async fn a_certificate_is_fetched_once_an_hour() {
        let (address, count) = serve(GOOD).await;
        let url = Url::parse(&address).unwrap();
        let certificates = certificates();
        let at = Duration::from_secs;
        for second in [0, 1, 3599] {
            assert_eq!(certificates.get(&url, at(second)).await.unwrap(), "cert");
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
        certificates.get(&url, at(3600)).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let (address, _) = serve(GOOD).await;
        let certificates = certificates();
        for n in 0..KEPT_MAX as u64 + 10 {
            let url = Url::parse(&format!("{address}?{n}")).unwrap();
            certificates.get(&url, Duration::from_secs(n)).await.unwrap();
        }
        let kept = certificates.kept.lock().unwrap();
        assert_eq!(kept.len(), KEPT_MAX);
        let oldest = Url::parse(&format!("{address}?0")).unwrap();
        assert!(!kept.contains_key(&oldest));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_and_not_kept() {
        let (address, _) =
            serve("HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let url = Url::parse(&address).unwrap();
        let certificates = certificates();
        let error = certificates.get(&url, Duration::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("404") && !error.may_pass(), "{error}");
        assert!(certificates.kept.lock().unwrap().is_empty());
        let closed = Certificates::new(Egress::new(Config::default()));
        let error = closed.get(&url, Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    }
}
