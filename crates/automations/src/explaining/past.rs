//! The version of an automation that was in force at a time, found in a history that may be long.
//!
//! It must stay true that what is read and kept of one automation is bounded, and that it is said where that was too little.

use chrono::{DateTime, Utc};
use omni_store::{
    Conn,
    automations::{VersionRow, versions_from},
};
use uuid::Uuid;

use crate::Error;

/// Versions of one automation that are read, and how many at once.
pub(super) const VERSIONS_MAX: usize = 50;
const PAGE: usize = 5;

/// What is known of the versions of an automation.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The newest, and the one that counts or the oldest that was looked at; newest first. Empty where the current one counts.
    pub(super) versions: Vec<VersionRow>,
    /// Whether older ones were not looked at, and the one that counts may be among them.
    pub(super) unread: bool,
}

/// Looks for the version that ran, if one did; else for the one that was in force at a time; else for the newest.
pub(super) async fn past(
    conn: &mut Conn,
    org: &str,
    id: Uuid,
    at: Option<DateTime<Utc>>,
    ran: Option<i32>,
) -> Result<Past, Error> {
    if let Some(ran) = ran {
        let found = versions_from(conn, org, id, ran, 1).await?;
        if found.first().is_some_and(|one| one.version == ran) {
            return Ok(Past { versions: found, unread: false });
        }
    }
    let mut versions: Vec<VersionRow> = Vec::new();
    let (mut from, mut read) = (i32::MAX, 0);
    while read < VERSIONS_MAX {
        let page = versions_from(conn, org, id, from, PAGE as i64).await?;
        let is_last = page.len() < PAGE;
        for one in page {
            read += 1;
            from = one.version - 1;
            let is_found = ran.is_some() || at.is_none_or(|at| one.created_at <= at);
            versions.truncate(1);
            versions.push(one);
            if is_found {
                return Ok(Past { versions, unread: false });
            }
        }
        if is_last {
            return Ok(Past { versions, unread: false });
        }
    }
    Ok(Past { versions, unread: true })
}
