//! What sources refused: read it, release it once that is mended, delete it.
//!
//! What must stay true: a request becomes events at most once, however often and by however many it is released.

use omni_crypto::sha256;
use omni_events::Org;
use omni_store::quarantine::{self, Filter, QuarantineRow, REFUSED, RELEASED, Release};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Sources, definition};
use crate::{
    Error, Quarantined,
    compiled::Compiled,
    webhook::{Incoming, Receiver, judge::Refusal, kept},
};

/// Most requests that one call releases: each is an append of its own, and the caller waits.
const MANY_MAX: usize = 100;

/// Which requests are listed; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct QuarantineQuery {
    /// `refused` or `released`.
    pub status: Option<String>,
    /// What is wrong, as one word.
    pub code: Option<String>,
    /// Only those older than this one, which ended the page before.
    pub before: Option<Uuid>,
    /// How many at most.
    pub limit: i64,
}

/// How a request is released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "QuarantineRelease")]
pub struct ReleaseRequest {
    /// Take it although it is not genuine: whoever says so answers for it, and it is noted.
    pub force: bool,
    /// Why, for those who look later.
    pub note: Option<String>,
}

/// Which requests are released together: those named, or the oldest that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "QuarantineReleaseMany")]
pub struct ReleaseMany {
    /// Only these.
    pub ids: Vec<Uuid>,
    /// Only those refused for this, such as `signature-mismatch`.
    pub code: Option<String>,
    /// How many at most, 1 to 100; 100 unless set.
    pub limit: Option<u32>,
}

/// What became of many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "QuarantineReleases")]
pub struct Releases {
    /// How many have become events now.
    pub released: u32,
    /// How many had before.
    pub already: u32,
    /// How many are refused still.
    pub refused: u32,
    /// How many of the named are not there.
    pub missing: u32,
    /// Why, of each that is refused still.
    pub refusals: Vec<StillRefused>,
}

/// One that is refused still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "QuarantineStillRefused")]
pub struct StillRefused {
    /// Its id.
    pub id: Uuid,
    /// What is wrong, as one word.
    pub code: String,
    /// What is wrong, for people.
    pub reason: String,
}

impl Sources {
    /// Lists what a source refused, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn quarantine(
        &self,
        org: &Org,
        name: &str,
        query: QuarantineQuery,
    ) -> Result<Vec<Quarantined>, Error> {
        let QuarantineQuery { status, code, before, limit } = query;
        let filter = Filter { status, code, before };
        let mut conn = self.0.store.read().await?;
        let rows = quarantine::list(&mut conn, (org.as_str(), name), &filter, limit).await?;
        drop(conn);
        Ok(rows.into_iter().map(|row| self.shown_refused(org, row)).collect())
    }

    /// Reads one request that a source refused.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn quarantined(
        &self,
        org: &Org,
        name: &str,
        id: Uuid,
    ) -> Result<Option<Quarantined>, Error> {
        let row = self.refused(org, name, id).await?;
        Ok(row.map(|row| self.shown_refused(org, row)))
    }

    /// Deletes a request that a source refused; false if there was none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget(&self, org: &Org, name: &str, id: Uuid) -> Result<bool, Error> {
        let mut conn = self.0.store.write().await?;
        Ok(quarantine::remove(&mut conn, (org.as_str(), name), id).await?)
    }

    /// Verifies a request again, with the secrets of now and as of when it came, and takes it in: exactly what it would
    /// have become. Released twice it is the same events. `None` if there is no such request, or source.
    ///
    /// # Errors
    /// [`Error::StillRefused`] when it is not genuine or cannot be taken; [`Error::NotWhole`] when it is not all there.
    pub async fn release(
        &self,
        receiver: &Receiver,
        (org, name): (&Org, &str),
        id: Uuid,
        request: &ReleaseRequest,
    ) -> Result<Option<Quarantined>, Error> {
        let Some(row) = self.refused(org, name, id).await? else { return Ok(None) };
        if row.status == RELEASED {
            return Ok(Some(self.shown_refused(org, row)));
        }
        let Some(source) = self.of_now(org, name).await? else { return Ok(None) };
        let incoming = self.whole(org, &row).await?.ok_or(Error::NotWhole)?;
        let came = (id, row.received_at);
        let released = receiver.release(&source, &incoming, came, request.force).await;
        let events = released.map_err(still_refused)?;
        let events: Vec<Uuid> = events.into_iter().map(|appended| appended.event_id).collect();
        let release = Release {
            event_ids: serde_json::to_string(&events).unwrap_or_default(),
            forced: request.force,
            note: request.note.clone(),
            at: self.0.clock.now(),
        };
        let mut conn = self.0.store.write().await?;
        quarantine::release(&mut conn, (org.as_str(), name), id, &release).await?;
        drop(conn);
        let row = self.refused(org, name, id).await?;
        Ok(row.map(|row| self.shown_refused(org, row)))
    }

    /// Releases many, the oldest first; what is refused still stays where it is.
    ///
    /// # Errors
    /// When the store cannot be read or written, or the log takes nothing: what was released before stays so.
    pub async fn release_many(
        &self,
        receiver: &Receiver,
        (org, name): (&Org, &str),
        many: ReleaseMany,
    ) -> Result<Releases, Error> {
        let limit = many.limit.map_or(MANY_MAX, |limit| limit as usize).clamp(1, MANY_MAX);
        let mut done = Releases::default();
        let mut ids = many.ids;
        if ids.is_empty() {
            let status = Some(REFUSED.to_owned());
            let filter = Filter { status, code: many.code, before: None };
            let mut conn = self.0.store.read().await?;
            // More than a source can have, so that the oldest are among them.
            let rows = quarantine::list(&mut conn, (org.as_str(), name), &filter, 1000).await?;
            ids = rows.into_iter().rev().map(|row| row.id).collect();
        }
        for id in ids.into_iter().take(limit) {
            let before = self.refused(org, name, id).await?;
            if before.is_some_and(|row| row.status == RELEASED) {
                done.already += 1;
                continue;
            }
            match self.release(receiver, (org, name), id, &ReleaseRequest::default()).await {
                Ok(Some(_)) => done.released += 1,
                Ok(None) => done.missing += 1,
                Err(Error::StillRefused { code, reason }) => {
                    done.refused += 1;
                    done.refusals.push(StillRefused { id, code, reason });
                }
                Err(error @ Error::NotWhole) => {
                    done.refused += 1;
                    let (code, reason) = ("not-whole".to_owned(), error.to_string());
                    done.refusals.push(StillRefused { id, code, reason });
                }
                Err(other) => return Err(other),
            }
        }
        Ok(done)
    }

    /// A source as it is stored, with those of its secrets that count now as if they had always counted.
    pub(super) async fn of_now(&self, org: &Org, name: &str) -> Result<Option<Compiled>, Error> {
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let secrets = self.secrets(org, &row)?.of(self.0.clock.now());
        Compiled::new(org, &definition(&row)?, secrets).map(Some).map_err(Error::Invalid)
    }

    pub(super) async fn refused(
        &self,
        org: &Org,
        name: &str,
        id: Uuid,
    ) -> Result<Option<QuarantineRow>, Error> {
        let mut conn = self.0.store.read().await?;
        Ok(quarantine::get(&mut conn, (org.as_str(), name), id).await?)
    }

    /// The request as it came, if all of it is there.
    pub(super) async fn whole(
        &self,
        org: &Org,
        row: &QuarantineRow,
    ) -> Result<Option<Incoming>, Error> {
        let place = (org.as_str(), row.source.as_str());
        let mut conn = self.0.store.read().await?;
        let body = quarantine::sealed_body(&mut conn, place, row.id).await?;
        drop(conn);
        Ok(kept::open(row, body.as_deref(), &self.0.sealer))
    }

    /// What may be shown: no secret of the source, wherever in the body it stands.
    fn shown_refused(&self, org: &Org, row: QuarantineRow) -> Quarantined {
        let mut body = kept::beginning(&row, &self.0.sealer).unwrap_or_else(|| row.body.clone());
        if let Some(source) = self.compiled(org, &row.source) {
            let secrets = source.secrets.held.iter().map(|held| &held.secret);
            for secret in secrets.chain(&source.secrets.second) {
                body = without(body, secret.expose());
            }
        }
        Quarantined {
            id: row.id,
            source: row.source,
            status: row.status,
            code: row.code,
            reason: row.reason,
            method: row.method,
            path: row.path,
            content_type: row.content_type,
            headers: serde_json::from_str(&row.headers).unwrap_or_default(),
            body: String::from_utf8_lossy(&body).into_owned(),
            remote: row.remote,
            received_at: row.received_at,
            event_ids: row
                .event_ids
                .and_then(|ids| serde_json::from_str(&ids).ok())
                .unwrap_or_default(),
            forced: row.forced,
            note: row.note,
            released_at: row.released_at,
        }
    }
}

/// The bytes with every occurrence of a secret blotted out.
fn without(body: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let is_here = !secret.is_empty() && body.windows(secret.len()).any(|part| part == secret);
    if !is_here {
        return body;
    }
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = body.as_slice();
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(secret) {
            clean.extend_from_slice("•••".as_bytes());
            rest = after;
        } else {
            clean.push(*first);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    clean
}

/// The id of an event that a request becomes which has no key of its own: always the same, so that a release that is
/// repeated repeats. The time in it is that of the request.
pub(crate) fn event_id(request: Uuid, index: usize) -> Uuid {
    let hash = sha256(&[b"quarantine|", request.as_bytes(), &index.to_be_bytes()]);
    let mut bytes = *request.as_bytes();
    // The first eight bytes hold the time and the version, the others are chance and the variant.
    for (byte, chance) in bytes.iter_mut().zip(hash).skip(8) {
        *byte = chance;
    }
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

fn still_refused(refusal: Refusal) -> Error {
    if let Some(reason) = refusal.reason {
        return Error::StillRefused { code: reason.code.to_owned(), reason: reason.text };
    }
    let problem: Value = serde_json::from_slice(&refusal.reply.body).unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str);
    Error::NotNow(detail.unwrap_or("something does not answer").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_blotted_out_wherever_it_stands() {
        let clean = |body: &str| String::from_utf8(without(body.into(), b"aab")).unwrap();
        assert_eq!(clean("aaab aab"), "a••• •••");
        assert_eq!(clean("aa"), "aa");
        assert_eq!(without(b"x".to_vec(), b""), b"x");
    }

    #[test]
    fn the_same_request_gives_the_same_ids_and_they_are_of_its_time() {
        let request = Uuid::from_u128(0x0190_1234_5678_7abc_8def_0123_4567_89ab);
        let first = event_id(request, 0);
        assert_eq!(first, event_id(request, 0));
        assert_ne!(first, event_id(request, 1));
        assert_ne!(first, request);
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(first.as_bytes()[..6], request.as_bytes()[..6]);
    }
}
