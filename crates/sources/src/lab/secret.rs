//! The secret: an old one, that of another source, or the right one in another form.
//!
//! What must stay true: nothing of a secret is in what is said, only what was done to it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use omni_crypto::Secret;

use super::{
    Diagnosis,
    trial::{Change, Trial},
};
use crate::{
    definition::{Key, Verifier},
    secrets::{Held, Secrets},
};

/// Most other sources that are tried.
const OTHERS_MAX: usize = 60;
/// What stands before some secrets where they are shown.
const PREFIXES: &[&str] = &["whsec_", "sha256=", "Bearer ", "secret=", "SECRET="];

/// Whether a secret that counts no longer fits.
pub(super) fn retired(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let case = trial.case;
    for held in &case.retired.held {
        if trial.fits(Change { secrets: Some(&only(case, &held.secret)), ..Change::default() }) {
            let until = held.not_after.map_or_else(String::new, |to| {
                format!("; it counted until {}", to.format("%Y-%m-%d %H:%M:%S UTC"))
            });
            let detail = format!(
                "it is signed with the secret {} of the source, which counts no longer{until}",
                held.id
            );
            let fix =
                "give the sender the new secret; next time rotate with a longer `overlapSeconds`";
            found.push(Diagnosis::certain("retired-secret", detail, fix));
            return;
        }
    }
}

/// Whether the secret of another source fits.
pub(super) fn of_others(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let case = trial.case;
    for (name, secrets) in case.others.iter().take(OTHERS_MAX) {
        let secrets = Secrets { second: case.secrets.second.clone(), ..secrets.clone() };
        if !secrets.held.is_empty()
            && trial.fits(Change { secrets: Some(&secrets), ..Change::default() })
        {
            let detail = format!("it is signed with the secret of the source `{name}`");
            let fix = format!(
                "if this sender belongs here, rotate its secret into `{}`; otherwise let it send to `{name}`",
                case.definition.name
            );
            found.push(Diagnosis::certain("secret-of-another-source", detail, fix));
            return;
        }
    }
}

/// Whether a stored secret fits in another form.
pub(super) fn diagnose(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let case = trial.case;
    let verifier = case.definition.verifier();
    for held in &case.secrets.held {
        for (what, secret) in forms(held.secret.expose()) {
            let secrets = only(case, &secret);
            if trial.fits(Change { secrets: Some(&secrets), ..Change::default() }) {
                let detail = format!("it fits once {what}");
                let fix =
                    "copy the secret once more, exactly as the sender has it, and rotate it in";
                found.push(Diagnosis::certain("secret-form", detail, fix));
                return;
            }
        }
        for (word, altered) in keys(&verifier) {
            if trial.fits_as(&altered, Some(&only(case, &held.secret))) {
                let detail = format!("it fits if the stored secret is read as {word}");
                let fix = format!(
                    "set `verifier.signature.key` to `{word}`, or store the secret in the form that the \
                                   provider shows"
                );
                found.push(Diagnosis::certain("secret-encoding", detail, fix));
                return;
            }
        }
    }
}

fn only(case: &super::Case, secret: &Secret) -> Secrets {
    let held = vec![Held::new(String::new(), secret.clone(), None)];
    Secrets { held, second: case.secrets.second.clone() }
}

/// The secret in other forms, each with what was done to it.
fn forms(secret: &[u8]) -> Vec<(String, Secret)> {
    let mut forms: Vec<(String, Secret)> = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>| {
        if !bytes.is_empty() && bytes != secret && !forms.iter().any(|(_, s)| s.expose() == bytes) {
            forms.push((what.to_owned(), Secret::from(bytes)));
        }
    };
    add(
        "blanks and line ends around the stored secret are taken away",
        secret.trim_ascii().to_vec(),
    );
    for quote in [b'"', b'\'', b'`'] {
        let inner = secret.trim_ascii().strip_prefix(&[quote]);
        if let Some(inner) = inner.and_then(|inner| inner.strip_suffix(&[quote])) {
            add("the quotes around the stored secret are taken away", inner.to_vec());
        }
    }
    for (what, end) in [
        ("a line end is added: the sender has one", &b"\n"[..]),
        ("a line end (CR LF) is added: the sender has one", b"\r\n"),
        ("a blank is added: the sender has one", b" "),
    ] {
        add(what, [secret.trim_ascii_end(), end].concat());
    }
    for prefix in PREFIXES {
        if let Some(rest) = secret.trim_ascii().strip_prefix(prefix.as_bytes()) {
            add(
                &format!("`{}` before the stored secret is taken away", prefix.trim()),
                rest.to_vec(),
            );
        }
    }
    if let Some(equals) = secret.iter().position(|byte| *byte == b'=')
        && let Some(rest) = secret.get(equals + 1..)
    {
        add(
            "what stands before `=` in the stored secret is taken away",
            rest.trim_ascii().to_vec(),
        );
    }
    let trimmed = secret.trim_ascii();
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        if let Ok(bytes) = engine.decode(trimmed) {
            add("the stored secret is decoded from Base64", bytes);
        }
    }
    if let Ok(bytes) = hex::decode(trimmed) {
        add("the stored secret is decoded from hexadecimal", bytes);
    }
    add("the stored secret is encoded as Base64", STANDARD.encode(secret).into_bytes());
    add("the stored secret is encoded as hexadecimal", hex::encode(secret).into_bytes());
    add("the stored secret is written in small letters", secret.to_ascii_lowercase());
    add("the stored secret is written in capital letters", secret.to_ascii_uppercase());
    forms
}

/// The verifier with the secret read in other ways.
fn keys(verifier: &Verifier) -> Vec<(&'static str, Verifier)> {
    let Verifier::Signature(signature) = super::signature::long(verifier) else {
        return Vec::new();
    };
    if matches!(signature.key, Key::Pem | Key::Certificate(_)) {
        return Vec::new();
    }
    let all = [("text", Key::Text), ("hex", Key::Hex), ("base64", Key::Base64)];
    let others = all.into_iter().filter(|(_, key)| *key != signature.key);
    others
        .map(|(word, key)| {
            let mut altered = signature.clone();
            altered.key = key;
            (word, Verifier::Signature(altered))
        })
        .collect()
}
