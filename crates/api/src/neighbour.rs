//! Keeps foreign web pages out of an installation on their reader's own machine.
//!
//! A page may point its own name at 127.0.0.1 and is then, to the browser, on the same site as us (DNS rebinding). What
//! gives it away is the name in the `Host` header. So whoever comes from this machine must call us by a name of this
//! machine. Webhooks and probes are left alone: tunnels bring them with the name of the tunnel.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, Method, header, uri::Authority};
use tonic::Status;

use crate::{
    problem::{Kind, Problem},
    router::is_grpc,
};

/// What browsers say about where a request comes from; no script can change it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request through unless a foreign page sent it.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    match decide(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) if is_grpc(&request) => Status::from(problem).into_http(),
        Err(problem) => problem.into_response(),
    }
}

fn decide(request: &Request) -> Result<(), Problem> {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let site = request.headers().get(FETCH_SITE).map(http::HeaderValue::as_bytes);
    if changes && site == Some(b"cross-site") {
        let detail = "A web page of another site may change nothing here.";
        return Err(Problem::new(Kind::Foreign, detail));
    }
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if !from.is_some_and(|from| from.to_canonical().is_loopback()) {
        return Ok(());
    }
    match called(request) {
        Some(host) if !is_local(&host) => {
            let host: String = host.chars().take(100).collect();
            let detail = format!(
                "Requests from this machine call it localhost, 127.0.0.1 or [::1], not `{host}`; \
                 a proxy on this machine has to set the header `Host` so."
            );
            Err(Problem::new(Kind::Foreign, detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// The host that the request names, without its port; none if it names none, which browsers never do. What cannot be
/// read is a name that nobody has.
fn called(request: &Request) -> Option<String> {
    if let Some(host) = request.uri().host() {
        return Some(host.to_owned());
    }
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = named.next()?;
    let read = Authority::try_from(host.as_bytes()).ok().filter(|_| named.next().is_none());
    Some(read.map_or_else(String::new, |authority| authority.host().to_owned()))
}

fn is_local(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    // Browsers never ask the network for names under localhost.
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn decided(method: &str, from: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/api/sources");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let from: SocketAddr = from.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(from));
        decide(&request).is_ok()
    }

    #[test]
    fn whoever_comes_from_here_calls_us_by_a_name_of_this_machine() {
        for from in ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            for host in [
                "localhost",
                "LOCALHOST:7400",
                "localhost.",
                "127.0.0.1:7400",
                "127.1.2.3",
                "[::1]",
                "[::1]:7400",
                "omni.localhost:7400",
            ] {
                assert!(decided("GET", from, &[("host", host)]), "{host}");
            }
            for host in [
                "evil.example",
                "evil.example:7400",
                "localhost.evil.example",
                "127.0.0.1.nip.io",
                "192.168.1.9:7400",
                "0.0.0.0:7400",
                "a b",
                "",
                "user@127.0.0.1",
                "notlocalhost",
                "evil.example@localhost",
                "[::2]",
            ] {
                let taken = decided("GET", from, &[("host", host)]);
                // A user name is not a host; the host after it is.
                assert_eq!(
                    taken,
                    host.ends_with("@127.0.0.1") || host.ends_with("@localhost"),
                    "{host}"
                );
            }
            assert!(!decided("GET", from, &[("host", "localhost"), ("host", "evil.example")]));
            assert!(decided("GET", from, &[]), "no browser leaves it out");
        }
        assert!(decided("GET", "192.0.2.1:5", &[("host", "omni.example")]), "not from here");
    }

    #[test]
    fn another_site_may_change_nothing() {
        let cross = [("host", "localhost"), ("sec-fetch-site", "cross-site")];
        assert!(decided("GET", "127.0.0.1:5", &cross), "it cannot read the answer");
        for method in ["POST", "PUT", "DELETE"] {
            assert!(!decided(method, "127.0.0.1:5", &cross), "{method}");
            assert!(!decided(method, "192.0.2.1:5", &cross), "{method}");
            let own = [("host", "localhost"), ("sec-fetch-site", "same-origin")];
            assert!(decided(method, "127.0.0.1:5", &own), "{method}");
        }
    }
}
