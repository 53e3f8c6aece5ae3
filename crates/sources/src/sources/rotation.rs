//! New secrets: taken or made, with the old ones counting for a while.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use omni_crypto::Secret;
use omni_events::Org;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Sources, definition};
use crate::{
    Definition, Error, Problem,
    definition::{Algorithm, Key, Verifier},
    secrets::HELD_MAX,
    source::RotatedSource,
};

/// How long old secrets count when nothing is said: a day, for a person to change the sender.
const OVERLAP_DEFAULT: u32 = 86_400;
/// How long old secrets may count: thirty days, or nobody would remember that they do.
const OVERLAP_MAX: u32 = 30 * 86_400;

/// A change of the secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "SecretRotation")]
pub struct Rotation {
    /// The new secret; one is made when it is left out, where the provider lets you choose it.
    #[serde(deserialize_with = "write_only")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret: Option<Secret>,
    /// How long the secrets before it still count, in seconds: 86,400 unless set, 0 for not at all, at most 2,592,000.
    pub overlap_seconds: Option<u32>,
}

fn write_only<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::from))
}

impl Sources {
    /// Gives a source a new secret; those before it count until the overlap ends. `None` if there is no such source.
    ///
    /// A secret that is made here is in the answer, once. The call repeated makes another one; the one before then counts
    /// until its overlap ends.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a secret or overlap that cannot be used, or when five secrets count already.
    pub async fn rotate_secret(
        &self,
        org: &Org,
        name: &str,
        rotation: &Rotation,
    ) -> Result<Option<RotatedSource>, Error> {
        let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP_DEFAULT);
        if overlap > OVERLAP_MAX {
            return Err(invalid("/overlapSeconds", &format!("use 0 to {OVERLAP_MAX}")));
        }
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let made = match rotation.secret {
            Some(_) => None,
            None => Some(made(&definition(&row)?)?),
        };
        let secret = made.as_ref().or(rotation.secret.as_ref());
        let Some(secret) = secret else { return Ok(None) };
        let now = self.0.clock.now();
        let rotated = self.change(org, name, (None, true), |definition, secrets| {
            secrets.rotate(secret.clone(), now, TimeDelta::seconds(overlap.into())).map_err(|_| {
                let most = format!(
                    "{HELD_MAX} secrets count already; use 0, or wait until the overlap of one ends"
                );
                invalid("/overlapSeconds", &most)
            })?;
            Ok(Some(definition.clone()))
        });
        let Some(source) = rotated.await? else { return Ok(None) };
        let shown = made.map(|made| String::from_utf8_lossy(made.expose()).into_owned());
        Ok(Some(RotatedSource { source, secret: shown }))
    }

    /// Takes the secret that a sender names in its greeting, if the source has none; false if it has one, or there is no
    /// such source. Of several senders, or replicas, at once one wins.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a secret that cannot be used; when the store cannot be read or written.
    pub async fn adopt_secret(&self, org: &Org, name: &str, secret: Secret) -> Result<bool, Error> {
        let now = self.0.clock.now();
        let adopted = std::sync::atomic::AtomicBool::new(false);
        let changed = self.change(org, name, (None, false), |definition, secrets| {
            let is_free = secrets.held.is_empty();
            adopted.store(is_free, std::sync::atomic::Ordering::Relaxed);
            if is_free {
                secrets.replace(secret.clone(), now);
            }
            Ok(is_free.then(|| definition.clone()))
        });
        Ok(changed.await?.is_some() && adopted.into_inner())
    }
}

/// A new secret in the form that the source reads.
fn made(definition: &Definition) -> Result<Secret, Error> {
    let key = match definition.verifier() {
        Verifier::None => {
            return Err(invalid("/secret", "the source has no verifier that would use a secret"));
        }
        Verifier::Signature(signature) => match signature.algorithm {
            Algorithm::HmacSha1 | Algorithm::HmacSha256 | Algorithm::HmacSha512 => signature.key,
            _ => {
                let message =
                    "the secret is the public key of the sender and cannot be made here; send it";
                return Err(invalid("/secret", message));
            }
        },
        _ => Key::Text,
    };
    let random = omni_crypto::random_key()
        .map_err(|source| Error::Crypto { name: definition.name.clone(), source })?;
    let text = match key {
        Key::PrefixedBase64(prefix) => prefix + &STANDARD.encode(random.expose()),
        Key::Base64 => STANDARD.encode(random.expose()),
        _ => hex::encode(random.expose()),
    };
    Ok(Secret::from(text))
}

fn invalid(pointer: &str, message: &str) -> Error {
    Error::Invalid(vec![Problem::at(pointer, message)])
}
