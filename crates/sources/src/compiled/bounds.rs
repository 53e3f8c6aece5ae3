//! The limits of a definition, and what it says of the answer, its URL and the addresses it takes.

use std::net::IpAddr;

use http::{HeaderValue, StatusCode, header::X_CONTENT_TYPE_OPTIONS};
use ipnet::IpNet;
use serde_json::Value;
use url::Url;

use super::problems::Problems;
use crate::{
    Definition,
    definition::CustomResponse,
    webhook::{Rate, Reply},
};

/// Longest description in bytes.
const DESCRIPTION_LEN_MAX: usize = 1024;
/// Most headers that a source may expect or look for keys in; each is looked up for every request.
const HEADERS_MAX: usize = 16;
/// Largest body that can be allowed: a payload is held in memory on its whole way.
const BODY_MAX_MAX: u64 = 15 << 20;
/// Most networks of an allow-list; each is compared with every request.
const NETWORKS_MAX: usize = 256;
/// Longest public URL in bytes.
const URL_LEN_MAX: usize = 2048;
/// Largest answer of one's own in bytes: every sender gets it.
const RESPONSE_MAX: usize = 16 << 10;
/// Highest rate and burst; above it nothing is limited.
const RATE_MAX: u32 = 1_000_000;

impl Problems {
    pub(super) fn bounds(&mut self, definition: &Definition) {
        let body_max = definition.limits.body_max_bytes;
        if body_max == 0 || body_max > BODY_MAX_MAX {
            self.add("/limits/bodyMaxBytes", format!("use 1 to {BODY_MAX_MAX}"));
        }
        if definition.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_LEN_MAX) {
            self.add("/description", format!("use at most {DESCRIPTION_LEN_MAX} bytes"));
        }
        for (pointer, count) in [
            ("/expectedHeaders", definition.expected_headers.len()),
            ("/idempotencyKeys", definition.idempotency_keys.len()),
        ] {
            if count > HEADERS_MAX {
                self.add(pointer, format!("use at most {HEADERS_MAX} headers"));
            }
        }
    }

    pub(super) fn rate(&mut self, definition: &Definition) -> Option<Rate> {
        let limits = &definition.limits;
        for (pointer, value) in [
            ("/limits/requestsPerSecond", limits.requests_per_second),
            ("/limits/burst", limits.burst),
        ] {
            if value.is_some_and(|value| value == 0 || value > RATE_MAX) {
                self.add(pointer, format!("use 1 to {RATE_MAX}"));
            }
        }
        if limits.burst.is_some() && limits.requests_per_second.is_none() {
            self.add("/limits/burst", "a burst goes above a rate; set `requestsPerSecond` too");
        }
        let per_second = limits.requests_per_second?;
        Some(Rate::new(per_second, limits.burst.unwrap_or(per_second)))
    }

    pub(super) fn allowed_ips(&mut self, definition: &Definition) -> Vec<IpNet> {
        if definition.allowed_ips.len() > NETWORKS_MAX {
            self.add("/allowedIps", format!("use at most {NETWORKS_MAX} networks"));
        }
        let mut networks = Vec::with_capacity(definition.allowed_ips.len());
        for (index, text) in definition.allowed_ips.iter().enumerate() {
            let alone = || text.parse::<IpAddr>().map(IpNet::from).ok();
            match text.parse::<IpNet>().ok().or_else(alone) {
                Some(network) => networks.push(network.trunc()),
                None => self.add(
                    format!("/allowedIps/{index}"),
                    "use an address or a network, as in 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
                ),
            }
        }
        networks
    }

    pub(super) fn public_url(&mut self, definition: &Definition) -> Option<Url> {
        let text = definition.public_url.as_deref()?;
        let url = Url::parse(text).ok().filter(|url| {
            text.len() <= URL_LEN_MAX
                && matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some_and(|host| !host.is_empty())
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            self.add(
                "/publicUrl",
                "use the whole URL that the sender calls, as in https://hooks.example.com/webhooks/shop",
            );
        }
        url
    }

    pub(super) fn response(&mut self, definition: &Definition) -> Option<Reply> {
        let template = || definition.template()?.response.as_ref();
        let response = definition.response.as_ref().or_else(template)?;
        let status = StatusCode::from_u16(response.status).ok().filter(StatusCode::is_success);
        if status.is_none() {
            self.add("/response/status", "use 200 to 299: the request was accepted");
        }
        let content_type = self.content_type(response);
        let body = match &response.body {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        if body.as_ref().is_some_and(|body| body.len() > RESPONSE_MAX) {
            self.add("/response/body", format!("use at most {RESPONSE_MAX} bytes"));
        }
        let status = status?;
        let bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if bare && body.is_some() {
            self.add("/response/body", format!("an answer with status {status} has no body"));
        }
        let nosniff = HeaderValue::from_static("nosniff");
        Some(match body {
            None => Reply::empty(status),
            Some(body) => {
                Reply::new(status, content_type?, body.into()).with(X_CONTENT_TYPE_OPTIONS, nosniff)
            }
        })
    }

    fn content_type(&mut self, response: &CustomResponse) -> Option<HeaderValue> {
        let Some(text) = &response.content_type else {
            let text = matches!(response.body, Some(Value::String(_)));
            let kind = if text { "text/plain; charset=utf-8" } else { "application/json" };
            return Some(HeaderValue::from_static(kind));
        };
        let value = HeaderValue::from_str(text).ok().filter(|_| text.contains('/'));
        if value.is_none() {
            self.add("/response/contentType", "use a media type, as in text/plain");
        }
        value
    }
}
