//! What was received with an event, stage by stage.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods as _, QueryDsl as _, Queryable, Selectable, SelectableHelper as _};
use uuid::Uuid;

use crate::{
    Answer, Error, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    pack::unpack,
    schema::event_payloads as p,
};

/// One stage of what was received.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = p, check_for_backend(Dual))]
pub struct PayloadRow {
    /// The event.
    pub event_id: Uuid,
    /// Where on its way it was captured.
    pub stage: String,
    /// The tenant.
    pub org: String,
    /// Content type as the sender named it.
    pub content_type: Option<String>,
    /// Headers as a JSON object.
    pub headers: String,
    /// The bytes; `None` when they are the payload of the event.
    pub body: Option<Vec<u8>>,
    /// When it was captured.
    pub created_at: DateTime<Utc>,
}

impl PayloadRow {
    fn unpacked(mut self) -> Result<Self> {
        let wrong = |reason| Error::corrupt("event_payloads", "body", reason);
        self.body = match self.body {
            Some(body) => unpack(body).map_err(wrong)?,
            None => None,
        };
        Ok(self)
    }
}

/// All stages of an event, in the order of their names.
pub fn list<'a>(conn: &'a mut Conn, org: &'a str, event_id: Uuid) -> Answer<'a, Vec<PayloadRow>> {
    Box::pin(async move {
        let query = p::table
            .filter(p::event_id.eq(event_id))
            .filter(p::org.eq(org))
            .order((p::stage, p::part))
            .select(PayloadRow::as_select());
        let rows: Vec<PayloadRow> = query.rows(conn).await?;
        rows.into_iter().map(PayloadRow::unpacked).collect()
    })
}

/// One stage of an event.
pub fn get<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    event_id: Uuid,
    stage: &'a str,
) -> Answer<'a, Option<PayloadRow>> {
    Box::pin(async move {
        let query = p::table
            .filter(p::event_id.eq(event_id))
            .filter(p::org.eq(org))
            .filter(p::stage.eq(stage))
            .order(p::part)
            .select(PayloadRow::as_select());
        let row: Option<PayloadRow> = query.row(conn).await?;
        row.map(PayloadRow::unpacked).transpose()
    })
}
