//! Searching for words: what is found, and that nothing which is searched for is an operator.

use omni_events::TypePattern;
use omni_store::{
    Kind, Store,
    events::{self, Filter, Page},
};

use crate::fixtures::{commit, event, id, later, of_org, plain, writer};

const ALL: Page = Page { after: None, limit: 100, ascending: true };

fn search(text: &str) -> Filter {
    Filter { text: Some(text.into()), ..Filter::default() }
}

async fn found(store: &Store, org: &str, filter: &Filter) -> Vec<u128> {
    let mut conn = store.read().await.unwrap();
    let found = events::list(&mut conn, org, filter, &ALL).await.unwrap();
    found.iter().map(|stored| stored.event.id.as_u128() - id(0).as_u128()).collect()
}

/// Five messages of one organisation, one of each of two others, and an event without a text.
async fn fill(store: &Store) {
    let writer = writer(store).await;
    let texts = [
        "Where is my order?",
        "Your ORDER 4711 is on its way, Zoë.",
        "It's \"quoted\" (and bracketed) -- NOT drop; 100% of order:4711",
        "Grüße aus Köln",
        "ordering again",
    ];
    let mut batch: Vec<_> = (1..)
        .zip(texts)
        .map(|(n, text)| {
            let mut made = event(n, if n == 1 { "message.received" } else { "message.sent" });
            made.metadata.content_text = Some(text.into());
            made.received_at = later(n as i64);
            made
        })
        .collect();
    batch[0].metadata.sender_identity_id = Some(id(900));
    batch[0].metadata.correlation_id = "case".into();
    let mut theirs = of_org("acme", event(6, "message.sent"));
    theirs.metadata.content_text = Some("their order".into());
    let mut nearly_theirs = of_org("acme_eu", event(7, "message.sent"));
    nearly_theirs.metadata.content_text = Some("another order".into());
    batch.extend([theirs, nearly_theirs, event(8, "message.sent")]);
    commit(store, writer, &batch.into_iter().map(plain).collect::<Vec<_>>()).await;
}

pub(crate) async fn words_are_found(store: &Store) {
    fill(store).await;
    let cases: [(&str, &[u128]); 22] = [
        ("order", &[1, 2, 3]),
        ("Order", &[1, 2, 3]),
        ("order*", &[1, 2, 3, 5]),
        ("is order", &[1, 2]),
        ("order is 4711", &[2]),
        ("4711", &[2, 3]),
        ("order 471*", &[2, 3]),
        ("grüße", &[4]),
        ("GRÜSSE", &[]),
        ("nothing", &[]),
        ("their", &[]),
        // Neither operators, columns, quotes nor what would end a statement means anything but itself.
        ("order OR grüße", &[]),
        ("order AND is", &[]),
        ("NOT drop", &[3]),
        ("order NEAR is", &[]),
        ("content_text:order", &[]),
        ("org:default", &[]),
        ("\"quoted\"", &[3]),
        ("\"unbalanced (quoted", &[]),
        ("'; DROP TABLE omni_events; --", &[]),
        ("100%", &[3]),
        ("is & order | !grüße <-> my", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(store, "default", &search(text)).await, expected, "{text}");
    }
    for nothing in ["", "*", "\"", "()", "'", ":*", "\\", "^", "-"] {
        assert_eq!(
            found(store, "default", &search(nothing)).await,
            Vec::<u128>::new(),
            "{nothing}"
        );
    }
    // SQLite's words know no accents, PostgreSQL's do.
    let plain_letters: &[u128] = if store.kind() == Kind::Sqlite { &[4] } else { &[] };
    assert_eq!(found(store, "default", &search("Koln")).await, plain_letters);
    assert_eq!(found(store, "acme", &search("order")).await, [6]);
    assert_eq!(found(store, "acme_eu", &search("order")).await, [7]);

    // With other filters, whichever of them leads.
    let types = vec![TypePattern::parse("message.received").unwrap()];
    let order = || search("order");
    let both: [(Filter, &[u128]); 7] = [
        (Filter { types, ..order() }, &[1]),
        (Filter { identity_id: Some(id(900)), ..order() }, &[1]),
        (Filter { identity_id: Some(id(900)), ..search("grüße") }, &[]),
        (Filter { correlation_id: Some("case".into()), ..order() }, &[1]),
        (Filter { from: Some(later(2)), ..order() }, &[2, 3]),
        (Filter { from: Some(later(2)), to: Some(later(3)), ..order() }, &[2]),
        (Filter { status: Some("pending".into()), ..order() }, &[1, 2, 3]),
    ];
    for (filter, expected) in both {
        assert_eq!(found(store, "default", &filter).await, expected, "{filter:?}");
    }
}

/// More events have the word than are looked at in one statement, and what else is asked for is far away.
pub(crate) async fn a_common_word_is_searched_in_stretches(store: &Store) {
    let writer = writer(store).await;
    for batch in (0..3000).collect::<Vec<u128>>().chunks(500) {
        let made: Vec<_> = batch
            .iter()
            .map(|&n| {
                let mut made = event(n, if n < 3 { "custom.rare" } else { "custom.common" });
                made.metadata.content_text = Some("hello again".into());
                made.received_at = later(3600 * n as i64);
                plain(made)
            })
            .collect();
        commit(store, writer, &made).await;
    }
    let rare =
        Filter { types: vec![TypePattern::parse("custom.rare").unwrap()], ..search("hello") };
    assert_eq!(found(store, "default", &rare).await, [0, 1, 2]);
    let mut conn = store.read().await.unwrap();
    let newest = Page { after: None, limit: 2, ascending: false };
    let mut seen = Vec::new();
    for (filter, expected) in [
        (rare, [id(2), id(1)]),
        (search("hello"), [id(2999), id(2998)]),
        (Filter { to: Some(later(3600 * 100)), ..search("hello") }, [id(99), id(98)]),
    ] {
        let page = events::list(&mut conn, "default", &filter, &newest).await.unwrap();
        let ids: Vec<_> = page.iter().map(|stored| stored.event.id).collect();
        assert_eq!(ids, expected, "{filter:?}");
        seen.push(page);
    }
    let next = Page { after: Some(seen[1][1].place()), ..newest };
    let page = events::list(&mut conn, "default", &search("hello"), &next).await.unwrap();
    assert_eq!(page[0].event.id, id(2997));
    let before = Filter { from: Some(later(3600 * 4000)), ..search("hello") };
    assert!(events::list(&mut conn, "default", &before, &newest).await.unwrap().is_empty());
}
