//! Keys that make a repeat answer as the first did.
//!
//! What must stay true: keys are claimed in their order, so that two processes that commit the same keys at once wait
//! for each other and cannot lock each other out.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, Insertable, QueryDsl as _, Queryable, Selectable,
    SelectableHelper as _, insert_into, query_dsl::methods, upsert::excluded,
};
use uuid::Uuid;

use crate::{
    Answer, Result,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::{Bind, Dual, collect_each},
    error::Error,
    schema::dedupe_keys::{self, self as k},
};

use super::{Committed, NewEvent, NewKey};

/// Organisation, scope and key.
type Name<'a> = (&'a str, &'a str, &'a str);

/// The event that has a key: one of this batch, or an earlier one.
#[derive(Clone, Copy)]
struct Holder {
    event_id: Uuid,
    sequence: i64,
    body_hash: [u8; 32],
    expires_at: DateTime<Utc>,
}

#[derive(Insertable)]
#[diesel(table_name = dedupe_keys, treat_none_as_default_value = false)]
struct KeyRow<'a> {
    org: &'a str,
    scope: &'a str,
    key: &'a str,
    body_hash: &'a [u8],
    event_id: Uuid,
    sequence: i64,
    expires_at: DateTime<Utc>,
}

/// A key that is taken.
#[derive(Queryable, Selectable)]
#[diesel(table_name = dedupe_keys, check_for_backend(Dual))]
struct StoredKey {
    key: String,
    body_hash: Vec<u8>,
    event_id: Uuid,
    sequence: i64,
    expires_at: DateTime<Utc>,
}

impl StoredKey {
    fn holder(&self) -> Result<Holder> {
        let body_hash = <[u8; 32]>::try_from(self.body_hash.as_slice())
            .map_err(|error| Error::corrupt("dedupe_keys", "body_hash", error))?;
        let Self { event_id, sequence, expires_at, .. } = *self;
        Ok(Holder { event_id, sequence, body_hash, expires_at })
    }
}

/// Claims the keys of a batch and changes the answers of those whose key is taken.
///
/// Of two events of one batch with the same key the second meets the first. An expired key is taken over.
pub(super) async fn claim(
    conn: &mut Conn,
    now: DateTime<Utc>,
    events: &[NewEvent],
    answers: &mut [Committed],
) -> Result<()> {
    let mut holders = first_of_each(events, answers);
    if holders.is_empty() {
        return Ok(());
    }
    let taken = insert(conn, now, &holders).await?;
    for (name, holder) in taken {
        holders.insert(name, holder);
    }
    for (new, answer) in events.iter().zip(answers) {
        let (Some(name), Committed::New { sequence }) = (name_of(new), *answer) else { continue };
        let Some(holder) = holders.get(&name) else { continue };
        if (holder.event_id, holder.sequence) != (new.event.id, sequence) {
            *answer = meet(holder, new);
        }
    }
    Ok(())
}

fn meet(holder: &Holder, new: &NewEvent) -> Committed {
    let Holder { event_id, sequence, body_hash, .. } = *holder;
    match &new.dedupe {
        Some(key) if key.body_hash == body_hash => Committed::Repeat { event_id, sequence },
        _ => Committed::Conflict { event_id },
    }
}

/// Claims a key for an event that is not in the log yet; answers what its sender is told when the key is taken.
pub(crate) async fn claim_key(
    conn: &mut Conn,
    now: DateTime<Utc>,
    org: &str,
    key: &NewKey,
    event_id: Uuid,
) -> Result<Option<Committed>> {
    let NewKey { scope, key, body_hash, expires_at } = key;
    let holder = Holder { event_id, sequence: 0, body_hash: *body_hash, expires_at: *expires_at };
    let name = (org, scope.as_str(), key.as_str());
    let taken = insert(conn, now, &BTreeMap::from([(name, holder)])).await?;
    Ok(taken.first().map(|(_, Holder { event_id, sequence, body_hash: theirs, .. })| {
        if theirs == body_hash {
            Committed::Repeat { event_id: *event_id, sequence: *sequence }
        } else {
            Committed::Conflict { event_id: *event_id }
        }
    }))
}

fn name_of(new: &NewEvent) -> Option<Name<'_>> {
    let key = new.dedupe.as_ref()?;
    Some((new.event.metadata.org.as_str(), &key.scope, &key.key))
}

fn first_of_each<'a>(events: &'a [NewEvent], answers: &[Committed]) -> BTreeMap<Name<'a>, Holder> {
    let mut holders = BTreeMap::new();
    for (new, answer) in events.iter().zip(answers) {
        let (Some(key), Some(name), Committed::New { sequence }) =
            (&new.dedupe, name_of(new), *answer)
        else {
            continue;
        };
        if let Entry::Vacant(place) = holders.entry(name) {
            place.insert(Holder {
                event_id: new.event.id,
                sequence,
                body_hash: key.body_hash,
                expires_at: key.expires_at,
            });
        }
    }
    holders
}

/// Inserts the keys and answers the stored holders of those that were taken.
async fn insert<'a>(
    conn: &mut Conn,
    now: DateTime<Utc>,
    holders: &BTreeMap<Name<'a>, Holder>,
) -> Result<Vec<(Name<'a>, Holder)>> {
    let rows: Vec<(Name<'a>, KeyRow<'_>)> =
        holders.iter().map(|(name, holder)| (*name, row(*name, holder))).collect();
    let (names, rows): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let inserts: Vec<_> = chunks(conn.kind(), &rows)
        .map(|chunk| {
            let upsert = insert_into(k::table)
                .values(chunk)
                .on_conflict((k::org, k::scope, k::key))
                .do_update()
                .set((
                    k::body_hash.eq(excluded(k::body_hash)),
                    k::event_id.eq(excluded(k::event_id)),
                    k::sequence.eq(excluded(k::sequence)),
                    k::expires_at.eq(excluded(k::expires_at)),
                ));
            methods::FilterDsl::filter(upsert, k::expires_at.le(now))
        })
        .collect();
    let statements = collect_each(conn.kind(), &inserts)?;
    let counts = conn.execute_each(&statements).await?;
    let mut taken = Vec::new();
    for (names, count) in chunks(conn.kind(), &names).zip(counts) {
        if count < names.len() {
            taken.extend(stored(conn, names).await?);
        }
    }
    Ok(taken)
}

fn row<'a>((org, scope, key): Name<'a>, holder: &'a Holder) -> KeyRow<'a> {
    let Holder { event_id, sequence, ref body_hash, expires_at } = *holder;
    KeyRow { org, scope, key, body_hash, event_id, sequence, expires_at }
}

/// The stored holders of some keys; one query per run of keys with the same organisation and scope.
async fn stored<'a>(conn: &mut Conn, names: &[Name<'a>]) -> Result<Vec<(Name<'a>, Holder)>> {
    let mut all = Vec::new();
    for run in names.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some((org, scope, _)) = run.first() else { continue };
        let query = k::table
            .filter(k::org.eq(*org))
            .filter(k::scope.eq(*scope))
            .filter(k::key.eq_any(run.iter().map(|name| name.2)))
            .select(StoredKey::as_select());
        let found: Vec<StoredKey> = query.rows(conn).await?;
        for key in found {
            let name = run.iter().find(|name| name.2 == key.key);
            let holder = key.holder()?;
            all.extend(name.map(|name| (*name, holder)));
        }
    }
    Ok(all)
}

/// Forgets keys that have expired, the oldest first and `limit` at most, and answers how many.
///
/// Keys that somebody is claiming at this moment are left for the next time: waiting for them in another order than
/// theirs could lock both out.
pub fn purge_keys(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Answer<'_, usize> {
    const SQLITE: &str = "DELETE FROM dedupe_keys WHERE (org, scope, key) IN \
        (SELECT org, scope, key FROM dedupe_keys WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)";
    const POSTGRES: &str = "DELETE FROM dedupe_keys WHERE (org, scope, key) IN \
        (SELECT org, scope, key FROM dedupe_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
         FOR UPDATE SKIP LOCKED)";
    Box::pin(async move {
        let binds = vec![Bind::Time(now), Bind::BigInt(limit.max(0))];
        let purge = conn.by_kind(SQLITE, POSTGRES, binds);
        Ok(conn.execute(&purge).await?)
    })
}
