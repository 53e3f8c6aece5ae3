//! Who sent a request and to which URL, when proxies stand in between.
//!
//! What must stay true: the headers that proxies write count only when a proxy of ours sent them; from anybody else they
//! are words.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Uri, header::HOST};
use ipnet::IpNet;
use url::Url;

/// The proxies of the installation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The address that the nearest of our proxies has seen, or the peer itself.
    pub(crate) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.ip();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        for hop in hops {
            if !self.has(client) {
                break;
            }
            // What cannot be read was written by nobody we know.
            let Some(address) = address(hop.trim()) else { break };
            client = address;
        }
        Some(client)
    }

    /// The whole URL as the sender knows it: what the source says, with the query that came, or what the request says.
    pub(crate) fn url(
        &self,
        public: Option<&Url>,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> String {
        if let Some(public) = public {
            let public = public.as_str();
            let base = public.split('?').next().unwrap_or_default();
            return match uri.query() {
                Some(query) => format!("{base}?{query}"),
                None => public.to_owned(),
            };
        }
        let forwarded = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?;
            Some(text.split(',').next()?.trim()).filter(|text| !text.is_empty())
        };
        let trusted = peer.is_some_and(|peer| self.has(peer.ip()));
        let said = |name| forwarded(name).filter(|_| trusted);
        let scheme = said("x-forwarded-proto").or(uri.scheme_str()).unwrap_or("http");
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let named = uri.authority().map(http::uri::Authority::as_str);
        let host = said("x-forwarded-host").or(named).or(host).unwrap_or("localhost");
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        format!("{}://{host}{path}", scheme.to_ascii_lowercase())
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    bare.parse::<IpAddr>().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        headers.iter().map(pair).collect()
    }

    fn ours() -> Proxies {
        Proxies::new(vec!["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn only_our_proxies_say_who_sent() {
        let client = |peer: &str, forwarded: &str| {
            let headers = map(&[("x-forwarded-for", forwarded)]);
            ours().client(Some(peer.parse().unwrap()), &headers).unwrap().to_string()
        };
        assert_eq!(client("10.0.0.1:1", "192.0.2.1"), "192.0.2.1");
        assert_eq!(client("198.51.100.1:1", "192.0.2.1"), "198.51.100.1");
        assert_eq!(client("10.0.0.1:1", "1.1.1.1, 192.0.2.1"), "192.0.2.1", "the first is a lie");
        assert_eq!(client("10.0.0.1:1", "192.0.2.1, 10.9.9.9"), "192.0.2.1");
        assert_eq!(client("[::ffff:10.0.0.1]:1", "[2001:db8::1]"), "2001:db8::1");
        assert_eq!(client("10.0.0.1:1", "192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(client("10.0.0.1:1", "unknown"), "10.0.0.1");
        assert_eq!(ours().client(None, &HeaderMap::new()), None);
    }

    #[test]
    fn the_url_is_the_one_that_the_sender_called() {
        let uri = Uri::from_static("/webhooks/x?a=1%20b");
        let headers = map(&[
            ("host", "inner:7400"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "hooks.example"),
        ]);
        let url = |public: Option<&str>, peer: &str, uri: &Uri| {
            let public = public.map(|url| Url::parse(url).unwrap());
            ours().url(public.as_ref(), Some(peer.parse().unwrap()), &headers, uri)
        };
        assert_eq!(url(None, "10.0.0.1:1", &uri), "https://hooks.example/webhooks/x?a=1%20b");
        assert_eq!(url(None, "192.0.2.1:1", &uri), "http://inner:7400/webhooks/x?a=1%20b");
        let public = Some("https://out.example/in?a=2");
        assert_eq!(url(public, "192.0.2.1:1", &uri), "https://out.example/in?a=1%20b");
        let bare = Uri::from_static("/webhooks/x");
        assert_eq!(url(public, "192.0.2.1:1", &bare), "https://out.example/in?a=2");
    }
}
