//! The REST client of the command line. It goes wherever the person who typed the command points
//! it, so its way out is open; see `omni_egress` for the guarded one.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use omni_egress::{Config, Egress, Request, Streaming};
use serde_json::Value;
use url::Url;

use crate::error::{Error, Problem};

/// Names the organisation of a request.
const ORG: HeaderName = HeaderName::from_static("x-omni-org");
/// A page of 500 events of the largest sort is far below this.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// Where a stream goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A stream that is silent for so long is broken: the server says every 15 s that it lives.
const SILENCE: Duration = Duration::from_secs(45);
/// A problem document is far below this.
const PROBLEM_MAX: usize = 64 * 1024;
/// A person waits no longer than this.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A person who asked for everything waits longer.
const SLOW_TIMEOUT: Duration = Duration::from_hours(1);

/// A server and the organisation to act for.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    egress: Egress,
    server: Url,
    org: HeaderValue,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Method and URL, for messages.
    pub(crate) place: String,
}

impl Client {
    /// A client for a server such as `http://127.0.0.1:7400`. Opens nothing yet.
    pub(crate) fn new(server: &str, org: &str) -> Result<Self, Error> {
        let usage = |why: &str| Error::Usage(format!("--server {server}: {why}"));
        let url = Url::parse(server).map_err(|error| usage(&format!("{error}; write a URL")))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
            return Err(usage("write http://HOST:PORT or https://HOST:PORT"));
        }
        let org = HeaderValue::from_str(org)
            .map_err(|_| Error::Usage(format!("--org {org}: not the name of an organisation")))?;
        let config = Config { response_max: ANSWER_MAX, timeout: TIMEOUT, ..Config::open() };
        Ok(Self { egress: Egress::new(config), server: url, org })
    }

    /// The URL of a path, given as its segments, so that no name can leave its place.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Error> {
        self.send(Request::new(Method::GET, self.url(path, query))).await
    }

    /// As [`Self::get`], for what a server works on for long.
    pub(crate) async fn get_slowly(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        let mut request = Request::new(Method::GET, self.url(path, query));
        request.timeout = Some(SLOW_TIMEOUT);
        self.send(request).await
    }

    /// As [`Self::get`], with nothing for "not found".
    pub(crate) async fn find(&self, path: &[&str]) -> Result<Option<Answer>, Error> {
        match self.get(path, &[]).await {
            Err(Error::Problem(problem)) if problem.status == StatusCode::NOT_FOUND => Ok(None),
            other => other.map(Some),
        }
    }

    pub(crate) async fn post(&self, path: &[&str], body: Bytes) -> Result<Answer, Error> {
        self.send(self.posted(path, body)).await
    }

    /// As [`Self::post`], with a query and without a body.
    pub(crate) async fn post_query(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        self.post_json(path, query, Bytes::new()).await
    }

    /// As [`Self::post`], with a query.
    pub(crate) async fn post_json(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Error> {
        let mut request = self.posted(path, body);
        request.url = self.url(path, query);
        self.send(request).await
    }

    /// As [`Self::post`], for what a server works on for long.
    pub(crate) async fn post_slowly(&self, path: &[&str], body: Bytes) -> Result<Answer, Error> {
        let mut request = self.posted(path, body);
        request.timeout = Some(SLOW_TIMEOUT);
        self.send(request).await
    }

    fn posted(&self, path: &[&str], body: Bytes) -> Request {
        let mut request = Request::new(Method::POST, self.url(path, &[]));
        if !body.is_empty() {
            request.headers.insert(header::CONTENT_TYPE, json());
        }
        request.body = body;
        request
    }

    pub(crate) async fn delete(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        self.send(Request::new(Method::DELETE, self.url(path, query))).await
    }

    /// Replaces a definition, but only if it still is the version that `etag` names.
    pub(crate) async fn put(
        &self,
        path: &[&str],
        body: Bytes,
        etag: Option<HeaderValue>,
    ) -> Result<Answer, Error> {
        let mut request = Request::new(Method::PUT, self.url(path, &[]));
        request.headers.insert(header::CONTENT_TYPE, json());
        if let Some(etag) = etag {
            request.headers.insert(header::IF_MATCH, etag);
        }
        request.body = body;
        self.send(request).await
    }

    /// Follows a stream of server-sent events after the one with this id. Every status but 2xx is an error.
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        last: Option<HeaderValue>,
    ) -> Result<Stream, Error> {
        let mut request = Request::new(Method::GET, self.url(path, query));
        request.headers.extend(last.map(|last| (LAST_EVENT_ID, last)));
        self.open(request).await
    }

    /// Asks for something that takes long, and follows how far it is as server-sent events.
    pub(crate) async fn post_stream(&self, path: &[&str], body: Bytes) -> Result<Stream, Error> {
        let mut request = self.posted(path, body);
        let events = HeaderValue::from_static("text/event-stream");
        request.headers.insert(header::ACCEPT, events);
        self.open(request).await
    }

    async fn open(&self, mut request: Request) -> Result<Stream, Error> {
        request.headers.insert(ORG, self.org.clone());
        request.timeout = Some(SILENCE);
        let place = format!("{} {}", request.method, request.url);
        let server = self.server.to_string();
        let unreachable = |source| Error::Unreachable { server: server.clone(), source };
        let mut inner = self.egress.open(request).await.map_err(unreachable)?;
        if inner.status.is_success() {
            return Ok(Stream { inner, place, server });
        }
        let mut body = Vec::new();
        while let Some(piece) = inner.next().await.map_err(unreachable)?
            && body.len() < PROBLEM_MAX
        {
            body.extend_from_slice(&piece);
        }
        Err(Error::Problem(Box::new(Problem::new(inner.status, place, &body))))
    }

    /// Sends a request. Every status but 2xx is an error.
    pub(crate) async fn send(&self, mut request: Request) -> Result<Answer, Error> {
        request.headers.insert(ORG, self.org.clone());
        let place = format!("{} {}", request.method, request.url);
        let unreachable = |source| Error::Unreachable { server: self.server.to_string(), source };
        let response = self.egress.send(request).await.map_err(unreachable)?;
        if response.truncated {
            let what = format!("the answer is longer than {ANSWER_MAX} bytes; ask for a page");
            return Err(Error::Answer { what, place });
        }
        let (status, body) = (response.status, response.body);
        if status.is_success() {
            return Ok(Answer { status, headers: response.headers, body, place });
        }
        if status.is_redirection() {
            let what = format!("the server sends elsewhere (status {status})");
            return Err(Error::Answer { what, place });
        }
        Err(Error::Problem(Box::new(Problem::new(status, place, &body))))
    }
}

/// An answer that goes on.
#[derive(Debug)]
pub(crate) struct Stream {
    inner: Streaming,
    /// Method and URL, for messages.
    pub(crate) place: String,
    server: String,
}

impl Stream {
    /// The next bytes; `None` when the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let next = self.inner.next().await;
        next.map_err(|source| Error::Unreachable { server: self.server.clone(), source })
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn value(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Answer {
            what: format!("the answer is no JSON: {error}"),
            place: self.place.clone(),
        })
    }
}

fn json() -> HeaderValue {
    HeaderValue::from_static("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_url() {
        let client = Client::new("http://127.0.0.1:7400/base/", "default").unwrap();
        let url = client.url(&["api", "sources", "a/../b?c"], &[("type", "x.>")]);
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:7400/base/api/sources/a%2F..%2Fb%3Fc?type=x.%3E"
        );
    }

    #[test]
    fn wrong_servers_are_wrong_usage() {
        for server in ["127.0.0.1:7400", "ftp://example.com", "http://a/?b", ""] {
            assert!(matches!(Client::new(server, "default"), Err(Error::Usage(_))), "{server}");
        }
        assert!(matches!(Client::new("http://a", "a\nb"), Err(Error::Usage(_))));
    }
}
