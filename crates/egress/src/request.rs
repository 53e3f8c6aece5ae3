//! What goes out and what comes back, and the rules that a request must keep before a socket is
//! opened.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Uri};
use url::Url;

use crate::error::Error;

/// One outgoing request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Any method but `CONNECT`.
    pub method: Method,
    /// `http` or `https`, no user name, no fragment.
    pub url: Url,
    /// Headers, without those of [`is_reserved_header`].
    pub headers: HeaderMap,
    /// Body, sent as it is.
    pub body: Bytes,
    /// Time for the whole exchange; `None` takes the client's.
    pub timeout: Option<Duration>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), timeout: None }
    }
}

/// The reply, whatever its status: a 404 or a redirect is an answer and no error here.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Headers, at most as many as the client accepts.
    pub headers: HeaderMap,
    /// The beginning of the body, at most `response_max` bytes, not decompressed.
    pub body: Bytes,
    /// Whether the body went on after what was kept.
    pub truncated: bool,
    /// From the call to the end of reading.
    pub elapsed: Duration,
}

/// Whether a header belongs to the client: those that frame the message, name the host or steer
/// the connection. A caller that could set them could smuggle a second request.
pub fn is_reserved_header(name: &HeaderName) -> bool {
    const RESERVED: &[HeaderName] = &[
        HOST,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        CONNECTION,
        UPGRADE,
        TE,
        TRAILER,
        EXPECT,
        PROXY_AUTHORIZATION,
    ];
    RESERVED.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Checks method, headers and URL, and gives the host for messages and the URL for the client.
pub(crate) fn check(request: &Request) -> Result<(String, Uri), Error> {
    if request.method == Method::CONNECT {
        return Err(Error::InvalidRequest { reason: "the method CONNECT is not sent".into() });
    }
    if let Some(name) = request.headers.keys().find(|name| is_reserved_header(name)) {
        let reason = format!("the header {name} is set by the client; remove it");
        return Err(Error::InvalidRequest { reason });
    }
    to_uri(&request.url)
}

fn to_uri(url: &Url) -> Result<(String, Uri), Error> {
    let invalid = |reason| Err(Error::InvalidUrl { reason });
    if !matches!(url.scheme(), "http" | "https") {
        return invalid("only http and https are sent");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("a user name or password does not belong in it; use a header");
    }
    if url.fragment().is_some() {
        return invalid("a fragment (#) is never sent; remove it");
    }
    if url.port() == Some(0) {
        return invalid("port 0 is no port");
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return invalid("it has no host");
    };
    let Ok(uri) = url.as_str().parse::<Uri>() else {
        return invalid("it has a character that must be percent-encoded, or is too long");
    };
    // Two parsers that disagree about the host are how a guard is led past.
    if uri.host() != Some(host) || uri.port_u16() != url.port() {
        return invalid("its host is ambiguous");
    }
    Ok((host.to_owned(), uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(url: &str) -> Result<String, Error> {
        check(&Request::new(Method::GET, Url::parse(url).unwrap())).map(|(host, _)| host)
    }

    #[test]
    fn accepts_plain_urls() {
        for (url, host) in [
            ("http://example.com/", "example.com"),
            ("https://example.com:8443/a?b=c%20d", "example.com"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://[::1]:80/", "[::1]"),
            ("http://BÜCHER.example/", "xn--bcher-kva.example"),
        ] {
            assert_eq!(checked(url).unwrap(), host, "{url}");
        }
    }

    #[test]
    fn refuses_what_is_not_plain() {
        for url in [
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:text/plain,hi",
            "http://user@example.com/",
            "http://:secret@example.com/",
            "http://example.com/#part",
            "http://example.com:0/",
        ] {
            let error = checked(url).unwrap_err();
            assert_eq!(error.class(), "invalid_url", "{url}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn refuses_headers_that_frame_the_message() {
        for name in ["host", "content-length", "transfer-encoding", "connection", "keep-alive"] {
            let mut request = Request::new(Method::POST, Url::parse("http://a.example").unwrap());
            request.headers.insert(HeaderName::from_static(name), "1".parse().unwrap());
            let error = check(&request).unwrap_err();
            assert_eq!(error.class(), "invalid_request");
            assert!(error.to_string().contains(name), "{error}");
        }
        let connect = Request::new(Method::CONNECT, Url::parse("http://a.example").unwrap());
        assert_eq!(check(&connect).unwrap_err().class(), "invalid_request");
    }
}
