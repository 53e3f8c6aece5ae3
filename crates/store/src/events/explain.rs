//! How the database answers a list: for tests, of the very statements that the list runs.

use diesel::sql_types::{Integer, Text};

use crate::{
    Answer, Kind, Result,
    conn::{Conn, read},
    dual::Statement,
};

use super::{
    filter::{Filter, Page},
    list,
    question::{Lead, Question},
    search, types,
};

/// The lines of the plans of every statement that a page of this filter runs.
pub fn explain<'a>(
    conn: &'a mut Conn,
    org: &'a str,
    filter: &'a Filter,
    page: &'a Page,
) -> Answer<'a, Vec<String>> {
    Box::pin(async move {
        let mut lines = types::explain(conn, org, &filter.types).await?;
        let Some(question) = Question::new(conn, org, filter, page.ascending).await? else {
            return Ok(lines);
        };
        if question.lead == Lead::Words {
            lines.extend(search::explain(&question, conn).await?);
        } else {
            let statement = question.statement(conn.kind(), page.after, page.limit);
            lines.extend(plan(conn, statement).await?);
        }
        let places = question.places(conn, page.after, page.limit).await?;
        lines.extend(list::explain_rows(conn, &places).await?);
        Ok(lines)
    })
}

/// Has the database gather statistics of events and their outcomes, as it does by itself when it has run for a while.
pub fn analyze(conn: &mut Conn) -> Answer<'_, ()> {
    Box::pin(async move {
        // Tables by name: without, PostgreSQL reads those of everybody in the database.
        let statement = match conn.kind() {
            Kind::Postgres => "ANALYZE omni_events, event_outcomes, automation_logs",
            Kind::Sqlite => "ANALYZE",
        };
        Ok(conn.batch(statement).await?)
    })
}

/// The lines of the plan of a statement.
pub(super) async fn plan(conn: &mut Conn, statement: Statement<'_>) -> Result<Vec<String>> {
    let kind = conn.kind();
    let rows = conn.load(&statement.explained(kind)).await?;
    let line = |row| match kind {
        Kind::Sqlite => {
            type Line = (Integer, Integer, Integer, Text);
            read::<(i32, i32, i32, String), Line>(row).map(|(_, _, _, detail)| detail)
        }
        Kind::Postgres => read::<String, Text>(row),
    };
    rows.iter().map(line).collect()
}
