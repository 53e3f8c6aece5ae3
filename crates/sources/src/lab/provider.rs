//! Another provider: its headers are there, not those of the one that the source expects.

use super::{Diagnosis, header_of, trial::Trial};
use crate::{
    definition::{EventTypeFrom, Place, Verifier},
    provider::{self, Template},
    webhook::Spot,
};

/// The place of the signature is empty: says whose headers are there instead.
pub(super) fn missing(trial: &mut Trial<'_>, spot: &Spot, found: &mut Vec<Diagnosis>) {
    resembles(trial, found);
    if !found.is_empty() {
        return;
    }
    let code = if header_of(spot).is_some() { "header-missing" } else { "signature-missing" };
    let detail = format!("{spot} is missing, so nothing proves the request");
    let fix = "see that a secret is set at the sender, without which many sign nothing, and that no proxy takes the \
               header away";
    found.push(Diagnosis::certain(code, detail, fix));
}

/// Says which other provider the request looks like.
pub(super) fn resembles(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let own = trial.case.definition.provider.as_deref();
    let others = || provider::all().iter().filter(|template| Some(template.name.as_str()) != own);
    let signs = |template: &&Template| is_there(trial, proof_header(template));
    let candidates: Vec<&Template> = others().filter(signs).collect();
    // One that fits is the one, whatever the others look like.
    let fits = candidates.iter().find(|template| {
        template.verifier != Verifier::None && trial.fits_as(&template.verifier, None)
    });
    if let Some(template) = fits {
        let detail = format!("it is a genuine request of {} under this secret", template.title);
        let fix = format!("set `provider` of the source to `{}`", template.name);
        found.push(Diagnosis::certain("other-provider", detail, fix));
        return;
    }
    // A header that several have says little by itself; the event header of the same provider says more.
    let named = |template: &&&Template| is_there(trial, type_header(template));
    let best = candidates.iter().find(named).or(match candidates.as_slice() {
        [only] => Some(only),
        _ => None,
    });
    let is_ours = proof_header_of(&trial.case.definition.verifier());
    if let Some(template) = best
        && proof_header(template).map(str::to_ascii_lowercase)
            != is_ours.map(|h| h.to_ascii_lowercase())
    {
        let detail = format!("this looks like {}: its headers are there", template.title);
        let fix = format!(
            "if {} sends it, set `provider` of the source to `{}` and rotate its secret in",
            template.title, template.name
        );
        found.push(Diagnosis::likely("other-provider", detail, fix));
    }
}

fn is_there(trial: &Trial<'_>, header: Option<&str>) -> bool {
    header.is_some_and(|name| trial.incoming().headers.contains_key(name))
}

/// The header in which a provider proves its requests.
fn proof_header(template: &Template) -> Option<&str> {
    match &template.verifier {
        Verifier::Signature(signature) => match &signature.from {
            Place::Header(name) => Some(name),
            _ => None,
        },
        Verifier::HmacSha256(hmac) => Some(&hmac.header),
        // Every client may send an `Authorization`; it says nothing.
        Verifier::ApiKey(key) if !key.header.eq_ignore_ascii_case("authorization") => {
            Some(&key.header)
        }
        _ => None,
    }
}

fn proof_header_of(verifier: &Verifier) -> Option<String> {
    match verifier {
        Verifier::Signature(signature) => match &signature.from {
            Place::Header(name) => Some(name.clone()),
            _ => None,
        },
        Verifier::HmacSha256(hmac) => Some(hmac.header.clone()),
        Verifier::ApiKey(key) => Some(key.header.clone()),
        _ => None,
    }
}

fn type_header(template: &Template) -> Option<&str> {
    match &template.event_type_from {
        Some(EventTypeFrom::Header(name)) => Some(name),
        _ => None,
    }
}
