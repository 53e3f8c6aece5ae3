//! The questions that people ask a log, each with the events of a filled store that it can be asked about.

use chrono::TimeDelta;
use fastrand::Rng;
use omni_event_log::EventLog;
use omni_events::{Org, TypePattern};
use omni_store::events::{Filter, Page, Place};

use crate::{
    events::About,
    fill::{self, Filled},
};

/// Rows of a page, as the API gives them unless asked otherwise.
const ROWS: i64 = 50;

/// A kind of question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// The newest events of one type, of the last 24 hours.
    Recent,
    /// A page from somewhere in the middle of the log.
    Deep,
    /// What one person wrote and was written, newest first.
    Identity,
    /// What went over one channel, newest first.
    Instance,
    /// The event with a provider's id.
    Provider,
    /// Messages with two words.
    Text,
}

impl Question {
    pub(crate) const ALL: [Self; 6] =
        [Self::Recent, Self::Deep, Self::Identity, Self::Instance, Self::Provider, Self::Text];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recent => "recent_page",
            Self::Deep => "deep_page",
            Self::Identity => "identity_timeline",
            Self::Instance => "instance_timeline",
            Self::Provider => "provider_lookup",
            Self::Text => "text_search",
        }
    }

    /// Whose events, which of them, and from where on.
    pub(crate) fn about(self, filled: &Filled, rng: &mut Rng) -> (Org, Filter, Page) {
        // Deliveries of webhooks have even numbers, messages odd ones.
        let message = matches!(self, Self::Identity | Self::Instance | Self::Text);
        let oldest = match self {
            // Of what there is to be found.
            Self::Recent => filled.count - filled.count / fill::DAYS,
            // Far enough from the oldest to fill a page.
            Self::Deep => filled.count / 2,
            _ => 0,
        };
        let number = rng.u64(oldest / 2..filled.count / 2) * 2 + u64::from(message);
        let About { org, event_type, provider_event_id, person, instance, words } =
            filled.events.about(number);
        let types = vec![TypePattern::parse(event_type.as_str()).unwrap()];
        let (mut filter, mut page) =
            (Filter::default(), Page { after: None, limit: ROWS, ascending: false });
        match self {
            Self::Recent => {
                filter.types = types;
                filter.from = Some(filled.now - TimeDelta::hours(24));
            }
            Self::Deep => {
                filter.types = types;
                page.after =
                    Some(Place { received_at: filled.at(number), sequence: number as i64 });
            }
            Self::Identity => filter.identity_id = person,
            Self::Instance => filter.instance_id = instance,
            Self::Provider => filter.provider_event_id = Some(provider_event_id),
            Self::Text => filter.text = words,
        }
        (org, filter, page)
    }

    /// Asks, and answers how many events were found.
    pub(crate) async fn ask(
        self,
        log: &EventLog,
        (org, filter, page): &(Org, Filter, Page),
    ) -> usize {
        let found = log.list(org, filter, page).await.unwrap().len();
        assert!(found > 0, "{self:?} finds what is there: {filter:?}");
        found
    }
}
