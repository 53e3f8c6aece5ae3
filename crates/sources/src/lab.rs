//! The signature lab: finds out why a request is not genuine, by trying what usually goes wrong.
//!
//! Pure: nothing is read or stored here. What must stay true: no secret is in what it says, a genuine request has nothing
//! to be said about, a cause is called certain only when the request fits once it is mended, and the work is bounded.

mod body;
mod json;
mod provider;
mod secret;
mod signature;
mod time;
mod trial;
mod url;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use self::trial::Trial;
use crate::{
    Definition,
    secrets::Secrets,
    webhook::{Fault, Incoming, Scheme, Spot},
};

/// What may be wrong with a request, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SourceDiagnosis")]
pub struct Diagnosis {
    /// One word, such as `body-reserialised`.
    pub cause: String,
    /// What was found.
    pub detail: String,
    /// What to do.
    pub fix: String,
    /// How sure that is.
    pub certainty: Certainty,
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Certainty {
    /// It was tried: mended so, the request is genuine. Or the request itself shows it.
    Certain,
    /// It looks like it.
    Likely,
    /// Nothing that was tried fits.
    Unknown,
}

/// A request, and everything that may be held against it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) definition: Definition,
    /// The secrets that count.
    pub(crate) secrets: Secrets,
    /// Those that count no longer.
    pub(crate) retired: Secrets,
    /// Other sources of the organisation, by name.
    pub(crate) others: Vec<(String, Secrets)>,
    pub(crate) incoming: Incoming,
    /// The URL as the sender called it, as far as that is known.
    pub(crate) url: String,
    /// When it came.
    pub(crate) at: DateTime<Utc>,
    /// The certificate that it names, if it was fetched.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Diagnosis {
    fn new(
        cause: &str,
        certainty: Certainty,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { cause: cause.to_owned(), detail: detail.into(), fix: fix.into(), certainty }
    }

    fn certain(cause: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(cause, Certainty::Certain, detail, fix)
    }

    fn likely(cause: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(cause, Certainty::Likely, detail, fix)
    }
}

impl Diagnosis {
    /// Of a check that says itself what is wrong.
    pub(crate) fn of_check(code: &str, text: String, check: &str) -> Self {
        let fix = match check {
            "address" => "add the address to `allowedIps`, or see who this is",
            "size" => "raise `limits.bodyMaxBytes`, or have the sender send less",
            "expected-headers" => "have the sender set the header, or change `expectedHeaders`",
            "greeting" => "compare the `secondSecret` of the source with the token at the sender",
            "body" => "have the sender send JSON, a form or CloudEvents, uncompressed",
            _ => "see what the sender sends, and repeat",
        };
        Self::certain(code, text, fix)
    }
}

/// Finds out why the signature of a request is not taken; nothing for one that is genuine.
pub(crate) fn diagnose(case: &Case) -> Vec<Diagnosis> {
    let Ok(scheme) = Scheme::new(&case.definition.verifier(), "/verifier") else {
        return Vec::new();
    };
    let mut trial = Trial::new(case, &scheme);
    let Err(fault) = trial.verify() else { return Vec::new() };
    let mut found = Vec::new();
    // From here on the time is that at which the request was signed, so that what else is wrong shows.
    let Some(fault) = time::diagnose(&mut trial, fault, &mut found) else { return found };
    match &fault {
        Fault::Missing(spot) => provider::missing(&mut trial, spot, &mut found),
        Fault::Repeated(spot) | Fault::TooMany(spot) => found.push(Diagnosis::certain(
            fault.code(),
            format!("{spot} is there several times, and nobody knows which one is meant"),
            "look for a proxy that adds it once more, and let it stand once",
        )),
        Fault::NoSecret => no_secret(&mut trial, &mut found),
        Fault::BadSecret(_) => {
            secret::diagnose(&mut trial, &mut found);
            if found.is_empty() {
                found.push(Diagnosis::certain(
                    fault.code(),
                    fault.to_string(),
                    "copy the secret from the provider once more and rotate it in",
                ));
            }
        }
        Fault::Certificate(_) => found.push(Diagnosis::certain(
            fault.code(),
            fault.to_string(),
            "see whether the server reaches the host of the certificate, and whether the sender is who it says",
        )),
        _ => mismatch(&mut trial, &fault, &mut found),
    }
    if found.is_empty() {
        found.push(nothing(&trial, &fault));
    }
    found
}

/// The request looks as it should and does not fit: tries one thing after the other, the most usual first.
fn mismatch(trial: &mut Trial<'_>, fault: &Fault, found: &mut Vec<Diagnosis>) {
    let steps: [fn(&mut Trial<'_>, &mut Vec<Diagnosis>); 6] = [
        secret::retired,
        secret::diagnose,
        secret::of_others,
        body::diagnose,
        url::diagnose,
        signature::diagnose,
    ];
    let before = found.len();
    for step in steps {
        step(trial, found);
        // What made it fit is the answer; more would only confuse.
        if found.len() > before {
            return;
        }
    }
    provider::resembles(trial, found);
    body::suspect(trial, found);
    if found.len() == before && matches!(fault, Fault::Malformed(_) | Fault::MalformedTime(_)) {
        found.push(Diagnosis::certain(
            fault.code(),
            fault.to_string(),
            "compare the verifier of the source (prefix, encoding, separator) with what the sender writes",
        ));
    }
}

fn no_secret(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    secret::retired(trial, found);
    if found.is_empty() {
        found.push(Diagnosis::certain(
            "no-active-secret",
            "the source has no secret that counts",
            "rotate one in: `omni source rotate-secret NAME --secret @FILE`",
        ));
    }
}

fn nothing(trial: &Trial<'_>, fault: &Fault) -> Diagnosis {
    let bound =
        if trial.is_exhausted() { " (as many as are allowed for a body of this size)" } else { "" };
    let detail = format!(
        "{fault}. Nothing that was tried fits: not another secret that is known here, nor another form of secret, body, \
         URL or signature; {} tries{bound}",
        trial.tries()
    );
    let fix = "copy the secret of exactly this webhook from its sender and rotate it in; if it is the right one, something \
               between the sender and this server changes the body, or somebody else has sent this";
    Diagnosis::new("unknown", Certainty::Unknown, detail, fix)
}

/// The header that a spot is, if it is one.
fn header_of(spot: &Spot) -> Option<&http::HeaderName> {
    match spot {
        Spot::Header(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
