//! Writes the statement of a question by hand: row comparisons, index hints and searches have no form in diesel.
//!
//! What must stay true: text of this crate is written, and whatever comes from outside is a value.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Kind,
    dual::{Bind, Statement},
};

/// A statement that grows.
pub(super) struct Writer<'a> {
    kind: Kind,
    sql: String,
    binds: Vec<Bind<'a>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, sql: String::with_capacity(512), binds: Vec::new() }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes text of this crate.
    pub(super) fn sql(&mut self, text: &'static str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    /// Writes text that only one database understands.
    pub(super) fn only(&mut self, kind: Kind, text: &'static str) -> &mut Self {
        if self.kind == kind {
            self.sql.push_str(text);
        }
        self
    }

    pub(super) fn bind(&mut self, value: Bind<'a>) -> &mut Self {
        self.binds.push(value);
        match self.kind {
            Kind::Sqlite => self.sql.push('?'),
            Kind::Postgres => {
                use std::fmt::Write as _;
                // Writing into a String cannot fail.
                let _ = write!(self.sql, "${}", self.binds.len());
            }
        }
        self
    }

    pub(super) fn text(&mut self, value: &'a str) -> &mut Self {
        self.bind(Bind::Text(value))
    }

    pub(super) fn number(&mut self, value: i64) -> &mut Self {
        self.bind(Bind::BigInt(value))
    }

    pub(super) fn time(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.bind(Bind::Time(value))
    }

    pub(super) fn id(&mut self, value: Uuid) -> &mut Self {
        self.bind(Bind::Uuid(value))
    }

    pub(super) fn done(self) -> Statement<'a> {
        Statement::new(self.kind, self.sql, self.binds)
    }

    /// A statement whose plan depends on its values, so it is planned for them each time.
    pub(super) fn done_once(self) -> Statement<'a> {
        self.done().once()
    }
}
