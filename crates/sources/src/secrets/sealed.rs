//! How the secrets of a source are stored: sealed as one, bound to organisation and name.
//!
//! Two forms are told apart by what they are bound to, which nobody can change: the older one is the bytes of the only
//! secret. The newer one is the length of a list in four bytes, the list as JSON, and the secrets in its order.

use chrono::{DateTime, Utc};
use omni_crypto::{Error, Sealer, Secret};
use omni_events::Org;
use serde::{Deserialize, Serialize};

use super::{Held, Secrets};

/// The bytes that say how long the list is.
const LENGTH: usize = 4;

/// What stands before the secrets; nothing in it is secret.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    held: Vec<Entry>,
    second: Option<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    created_at: Option<DateTime<Utc>>,
    not_before: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
    length: usize,
}

/// Seals them for the source of this name; `None` if there are none.
pub(crate) fn seal(
    secrets: &Secrets,
    sealer: &Sealer,
    org: &Org,
    name: &str,
) -> Result<Option<Vec<u8>>, Error> {
    if secrets.held.is_empty() && secrets.second.is_none() {
        return Ok(None);
    }
    let nonce = omni_crypto::random_nonce()?;
    let plain = to_plain(secrets);
    Ok(Some(sealer.seal(plain.expose(), bound_to(org, name, "|2").as_bytes(), nonce)))
}

/// Opens what was sealed for the source of this name.
pub(crate) fn open(
    sealed: Option<&[u8]>,
    sealer: &Sealer,
    org: &Org,
    name: &str,
) -> Result<Secrets, Error> {
    let Some(sealed) = sealed else { return Ok(Secrets::default()) };
    match sealer.open(sealed, bound_to(org, name, "|2").as_bytes()) {
        Ok(plain) => from_plain(&plain).ok_or(Error::Tampered),
        Err(Error::Tampered) => {
            let secret = sealer.open(sealed, bound_to(org, name, "").as_bytes())?;
            Ok(Secrets::one(Some(secret)))
        }
        Err(other) => Err(other),
    }
}

/// What a sealed secret belongs to, so that it opens in no other row; neither part can hold a `|`.
fn bound_to(org: &Org, name: &str, form: &str) -> String {
    format!("source|{org}|{name}{form}")
}

fn to_plain(secrets: &Secrets) -> Secret {
    let entry = |held: &Held| Entry {
        id: held.id.clone(),
        created_at: held.created_at,
        not_before: held.not_before,
        not_after: held.not_after,
        length: held.secret.expose().len(),
    };
    let second = secrets.second.as_ref().map(Secret::expose);
    let index =
        Index { held: secrets.held.iter().map(entry).collect(), second: second.map(<[u8]>::len) };
    // Texts, times and numbers can always be written.
    let index_text = serde_json::to_vec(&index).unwrap_or_default();
    let all: usize = secrets.held.iter().map(|held| held.secret.expose().len()).sum();
    // Of the right size at once: growing would leave copies behind.
    let size = LENGTH + index_text.len() + all + second.map_or(0, <[u8]>::len);
    let mut plain = Vec::with_capacity(size);
    let length = u32::try_from(index_text.len()).unwrap_or(u32::MAX);
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(&index_text);
    for held in &secrets.held {
        plain.extend_from_slice(held.secret.expose());
    }
    plain.extend_from_slice(second.unwrap_or_default());
    Secret::from(plain)
}

fn from_plain(plain: &Secret) -> Option<Secrets> {
    let (length, rest) = plain.expose().split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (index, mut rest) = rest.split_at_checked(length)?;
    let index: Index = serde_json::from_slice(index).ok()?;
    let mut secrets = Secrets::default();
    for entry in index.held {
        let (secret, after) = rest.split_at_checked(entry.length)?;
        rest = after;
        let mut held = Held::new(entry.id, Secret::from(secret.to_vec()), entry.created_at);
        held.not_before = entry.not_before;
        held.not_after = entry.not_after;
        secrets.held.push(held);
    }
    if let Some(length) = index.second {
        let (second, after) = rest.split_at_checked(length)?;
        rest = after;
        secrets.second = Some(Secret::from(second.to_vec()));
    }
    rest.is_empty().then_some(secrets)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&Secret::from(vec![7; 32])).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn what_is_sealed_comes_back() {
        let (sealer, org) = (sealer(), Org::default());
        let now = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let mut secrets = Secrets::one(Some(secret("first-canary")));
        secrets.rotate(secret("second-canary"), now, TimeDelta::hours(1)).unwrap();
        secrets.second = Some(secret(""));
        let sealed = seal(&secrets, &sealer, &org, "a").unwrap().unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        let opened = open(Some(&sealed), &sealer, &org, "a").unwrap();
        assert_eq!(format!("{opened:?}"), format!("{secrets:?}"));
        let texts: Vec<&[u8]> = opened.held.iter().map(|held| held.secret.expose()).collect();
        assert_eq!(texts, [&b"second-canary"[..], b"first-canary"]);
        assert_eq!(opened.second, Some(secret("")));
        assert!(open(Some(&sealed), &sealer, &org, "b").is_err(), "it belongs to its source");
        assert!(seal(&Secrets::default(), &sealer, &org, "a").unwrap().is_none());
    }

    #[test]
    fn what_an_older_release_sealed_opens_whatever_it_looks_like() {
        let (sealer, org) = (sealer(), Org::default());
        let like_the_new = to_plain(&Secrets::one(Some(secret("x"))));
        for old in [b"s".to_vec(), vec![0; 40], like_the_new.expose().to_vec()] {
            let sealed = sealer.seal(&old, b"source|default|a", [3; 12]);
            let opened = open(Some(&sealed), &sealer, &org, "a").unwrap();
            assert_eq!(opened.held.len(), 1);
            assert_eq!(
                (opened.held[0].id.as_str(), opened.held[0].secret.expose()),
                ("1", &old[..])
            );
        }
    }

    #[test]
    fn half_a_list_is_refused() {
        let whole = to_plain(&Secrets::one(Some(secret("secret"))));
        for end in 0..whole.expose().len() {
            assert!(from_plain(&Secret::from(whole.expose()[..end].to_vec())).is_none(), "{end}");
        }
    }
}
