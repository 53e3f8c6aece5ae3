//! A request that somebody has written out, as it would come in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::TestRequest;
use crate::{Problem, webhook::Incoming};

/// Most headers of a request that is tried.
const HEADERS_MAX: usize = 200;

/// The request that somebody has written out.
pub(super) fn incoming(request: &TestRequest, own_url: &str) -> Result<Incoming, Vec<Problem>> {
    let mut problems = Vec::new();
    let method = request.method.as_deref().unwrap_or("POST").to_ascii_uppercase();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
        problems.push(Problem::at("/method", "this is no HTTP method"));
    });
    let url: Result<Uri, ()> = request.url.as_deref().unwrap_or(own_url).parse().map_err(|_| {
        problems.push(Problem::at("/url", "give the URL that was called, or its path and query"));
    });
    let mut headers = HeaderMap::new();
    if request.headers.len() > HEADERS_MAX {
        problems.push(Problem::at("/headers", format!("give at most {HEADERS_MAX}")));
    }
    for (name, value) in request.headers.iter().take(HEADERS_MAX) {
        if let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.insert(name, value);
        } else {
            let at = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            problems.push(Problem::at(at, "this is no HTTP header"));
        }
    }
    let body = match (&request.body, &request.body_base64) {
        (Some(_), Some(_)) => {
            problems.push(Problem::at("/bodyBase64", "give `body` or this, not both"));
            Bytes::new()
        }
        (_, Some(text)) => {
            let decoded = STANDARD.decode(text.trim());
            if decoded.is_err() {
                problems.push(Problem::at("/bodyBase64", "this is no Base64"));
            }
            decoded.unwrap_or_default().into()
        }
        (text, None) => Bytes::from(text.clone().unwrap_or_default()),
    };
    let (Ok(method), Ok(url), true) = (method, url, problems.is_empty()) else {
        return Err(problems);
    };
    // What called is said by `Host`; a URL says it, too.
    if let (Some(authority), None) = (url.authority(), headers.get(header::HOST))
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(header::HOST, host);
    }
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri = path.parse().unwrap_or_default();
    Ok(Incoming { method, uri, headers, body, remote: None })
}
