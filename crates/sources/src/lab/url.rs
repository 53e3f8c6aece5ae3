//! The URL: the sender signed the one that it called, and a proxy has called another.

use super::{
    Diagnosis,
    trial::{Change, Trial},
};
use crate::definition::{Part, Verifier};

/// What a proxy says of the host that was called.
const HOSTS: &[&str] = &["x-forwarded-host", "x-original-host", "x-host", "host"];
/// What a proxy says of the path that was called.
const PATHS: &[&str] = &["x-original-uri", "x-original-url", "x-rewrite-url", "x-forwarded-uri"];
/// What a proxy says that it has cut off.
const PREFIXES: &[&str] = &["x-forwarded-prefix", "x-forwarded-path", "x-script-name"];
/// Most variants of one part.
const EACH_MAX: usize = 5;

/// Tries the URLs that the sender may have called.
pub(super) fn diagnose(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let Verifier::Signature(signature) = trial.case.definition.verifier() else { return };
    if !signature.signed.iter().any(|part| matches!(part, Part::Url)) {
        return;
    }
    for url in variants(trial) {
        if trial.fits(Change { url: Some(&url), ..Change::default() }) {
            let without_query = url.split('?').next().unwrap_or_default().to_owned();
            let detail = format!(
                "the sender signed the URL {without_query}, and {} was expected",
                trial.case.url.split('?').next().unwrap_or_default()
            );
            let fix = format!("set `publicUrl` of the source to {without_query}");
            found.push(Diagnosis::certain("url-mismatch", detail, fix));
            return;
        }
    }
}

fn variants(trial: &Trial<'_>) -> Vec<String> {
    let incoming = trial.incoming();
    let said = |names: &[&str]| -> Vec<String> {
        let values = names.iter().filter_map(|name| incoming.headers.get(*name)?.to_str().ok());
        values.map(|value| value.split(',').next().unwrap_or_default().trim().to_owned()).collect()
    };
    let (scheme_and_host, path, query) = parts(&trial.case.url);
    let (_, known_host) = scheme_and_host.split_once("://").unwrap_or(("", scheme_and_host));
    let mut hosts = vec![known_host.to_owned()];
    hosts.extend(said(HOSTS));
    hosts.extend(said(&["forwarded"]).iter().filter_map(|value| {
        let pair = value.split(';').find_map(|pair| pair.trim().strip_prefix("host="));
        pair.map(|host| host.trim_matches('"').to_owned())
    }));
    let bare: Vec<String> = hosts
        .iter()
        .flat_map(|host| {
            let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).to_owned();
            let ports = said(&["x-forwarded-port"]).into_iter().map({
                let name = name.clone();
                move |port| format!("{name}:{port}")
            });
            let usual = [format!("{name}:443"), format!("{name}:80")];
            std::iter::once(name.clone()).chain(ports).chain(usual).collect::<Vec<_>>()
        })
        .collect();
    hosts.extend(bare);
    let mut paths = vec![path.to_owned(), incoming.uri.path().to_owned()];
    let own = incoming.uri.path();
    paths.extend(
        said(PREFIXES).iter().map(|prefix| format!("{}{own}", prefix.trim_end_matches('/'))),
    );
    paths.extend(said(PATHS).iter().map(|uri| parts(uri).1.to_owned()));
    let slashed: Vec<String> = paths
        .iter()
        .map(|path| match path.strip_suffix('/') {
            Some(rest) => rest.to_owned(),
            None => format!("{path}/"),
        })
        .collect();
    paths.extend(slashed);
    let own_query = incoming.uri.query().map(str::to_owned);
    let queries = [query.map(str::to_owned), own_query, None];
    let (hosts, paths) = (few(hosts, 2 * EACH_MAX), few(paths, EACH_MAX));
    let mut urls = Vec::new();
    for scheme in ["https", "http"] {
        for host in &hosts {
            for path in &paths {
                for query in &queries {
                    let query =
                        query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
                    urls.push(format!("{scheme}://{host}{path}{query}"));
                }
            }
        }
    }
    few(urls, usize::MAX)
}

/// Scheme and host, path, query.
fn parts(url: &str) -> (&str, &str, Option<&str>) {
    let (rest, query) = match url.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (url, None),
    };
    let start = rest.find("://").map_or(0, |at| at + 3);
    let slash = rest.get(start..).and_then(|rest| rest.find('/')).map(|at| at + start);
    let (host, path) = rest.split_at(slash.unwrap_or(rest.len()));
    (host, path, query)
}

/// The first of the different ones.
fn few(all: Vec<String>, most: usize) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for one in all {
        if !one.is_empty() && !seen.contains(&one) && seen.len() < most {
            seen.push(one);
        }
    }
    seen
}
