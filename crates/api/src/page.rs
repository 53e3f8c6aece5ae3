//! Pages of lists: the limit, and a cursor that says nothing to whoever holds it.
//!
//! A cursor is the last key of a page, marked with the kind of list and, where a list has filters, with what was asked,
//! so that the cursor of one question is refused by another. Lists stay stable under inserts, because a page goes on from
//! a key and not from a count.

use std::fmt::Display;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use omni_crypto::sha256;
use omni_events::Org;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Items of a page when the caller does not say.
const LIMIT_DEFAULT: i64 = 50;
/// Most items of a page: an answer stays within memory even where every payload is large.
const LIMIT_MAX: i64 = 500;
/// Longest cursor that is looked at; the longest key is a name.
const CURSOR_LEN_MAX: usize = 512;
/// Bytes of the hash of a question: it tells mistakes apart, nobody gains by forging one.
const ASKED_LEN: usize = 9;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PageQuery {
    /// Items at most, 1 to 500; 50 when absent.
    pub(crate) limit: Option<i64>,
    /// `nextCursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}List")]
pub(crate) struct List<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Give it as `cursor` for the next page; null on the last.
    pub(crate) next_cursor: Option<String>,
}

/// The kinds of key that a list goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Place in the event log.
    Event,
    /// Place in the log of executions.
    Execution,
    /// Name of a source.
    Source,
    /// Id of a refused request.
    Quarantine,
    /// Name of a schedule.
    Schedule,
    /// Id of a fire.
    Fire,
    /// Name of an automation.
    Automation,
    /// Id of a replay.
    Replay,
    /// Place among the dead letters.
    DeadLetter,
}

impl Key {
    fn mark(self) -> &'static str {
        match self {
            Self::Event => "e:",
            Self::Execution => "x:",
            Self::Source => "s:",
            Self::Quarantine => "q:",
            Self::Schedule => "c:",
            Self::Fire => "f:",
            Self::Automation => "a:",
            Self::Replay => "r:",
            Self::DeadLetter => "d:",
        }
    }

    /// Writes a cursor.
    pub(crate) fn encode(self, key: impl Display) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{key}", self.mark()))
    }

    /// Reads a cursor; none means the first page.
    pub(crate) fn decode(self, cursor: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
        Some(cursor)
            .filter(|cursor| cursor.len() <= CURSOR_LEN_MAX)
            .and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix(self.mark()).map(str::to_owned))
            // No key has one, and PostgreSQL takes none.
            .filter(|key| !key.contains('\0'))
            .map(Some)
            .ok_or_else(no_cursor)
    }

    /// The cursors of one question to this list: of whom, with which filters, in which order.
    pub(crate) fn asked(self, org: &Org, question: &impl Serialize) -> Result<Asked, Problem> {
        let question = serde_json::to_vec(question)
            .map_err(|error| Problem::internal("Reading the filters", &error))?;
        let hash = sha256(&[org.as_str().as_bytes(), b"\0", &question]);
        let mark = hash.get(..ASKED_LEN).unwrap_or(&hash);
        Ok(Asked { list: self, mark: URL_SAFE_NO_PAD.encode(mark) })
    }
}

/// Writes and reads the cursors of one question.
#[derive(Debug)]
pub(crate) struct Asked {
    list: Key,
    mark: String,
}

impl Asked {
    /// Writes a cursor.
    pub(crate) fn encode(&self, key: impl Display) -> String {
        self.list.encode(format_args!("{}:{key}", self.mark))
    }

    /// Reads a cursor; none means the first page.
    pub(crate) fn decode(&self, cursor: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(key) = self.list.decode(cursor)? else { return Ok(None) };
        match key.split_once(':') {
            Some((mark, key)) if mark == self.mark => Ok(Some(key.to_owned())),
            _ => Err(Problem::field(
                "cursor",
                "it belongs to another question; repeat the filters and the order that it came from, or leave it out \
                 to begin anew",
            )),
        }
    }
}

/// What a cursor holds is not what the list wrote into it.
pub(crate) fn no_cursor() -> Problem {
    Problem::field("cursor", "it is no `nextCursor` of this list; leave it out to begin anew")
}

/// The limit of a page.
pub(crate) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        other => Err(Problem::field("limit", format!("{other} is not between 1 and {LIMIT_MAX}"))),
    }
}

/// Cuts a page out of rows that were read with one more than the limit.
pub(crate) fn cut<T>(mut items: Vec<T>, limit: i64, cursor_of: impl Fn(&T) -> String) -> List<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(cursor_of);
    List { items, next_cursor }
}

impl<T> List<T> {
    /// The same page of something else.
    pub(crate) fn map<U>(self, to: impl FnMut(T) -> U) -> List<U> {
        List { items: self.items.into_iter().map(to).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let page = cut(vec![1, 2, 3], 2, |n| Key::Event.encode(n));
        assert_eq!(page.items, [1, 2]);
        let next = page.next_cursor.unwrap();
        assert_eq!(Key::Event.decode(Some(&next)).unwrap().as_deref(), Some("2"));
        assert!(cut(vec![1, 2], 2, |n| Key::Event.encode(n)).next_cursor.is_none());
    }

    #[test]
    fn the_cursor_of_another_list_is_refused() {
        let cursor = Key::Source.encode("github");
        assert_eq!(Key::Source.decode(Some(&cursor)).unwrap().as_deref(), Some("github"));
        assert!(Key::Automation.decode(Some(&cursor)).is_err());
        assert_eq!(Key::Source.decode(Some("")).unwrap(), None);
    }

    #[test]
    fn the_cursor_of_another_question_is_refused() {
        let (ours, theirs) = (Org::default(), Org::parse("acme").unwrap());
        let asked = |org: &Org, filter: &str| Key::Event.asked(org, &filter).unwrap();
        let cursor = asked(&ours, "type=a").encode("1:2");
        assert_eq!(asked(&ours, "type=a").decode(Some(&cursor)).unwrap().as_deref(), Some("1:2"));
        for other in [asked(&ours, "type=b"), asked(&theirs, "type=a")] {
            let problem = other.decode(Some(&cursor)).unwrap_err();
            assert_eq!(problem.errors[0].pointer, "cursor");
        }
        assert!(asked(&ours, "type=a").decode(Some(&Key::Event.encode("1:2"))).is_err());
    }

    #[test]
    fn limits_are_checked() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(500)).unwrap(), 500);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(501)).is_err());
    }

    proptest! {
        #[test]
        fn any_key_survives_and_any_text_is_read_without_harm(key in ".{0,40}", noise in ".{0,60}") {
            let cursor = Key::Automation.encode(&key);
            match Key::Automation.decode(Some(&cursor)) {
                Ok(read) => prop_assert_eq!(read, Some(key)),
                Err(_) => prop_assert!(key.contains('\0')),
            }
            let _ = Key::Automation.decode(Some(&noise));
        }
    }
}
