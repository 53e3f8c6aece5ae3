//! Opening a store: migrations, refusals, and what a new process finds.

use omni_store::{Error, Kind, Location, Store, events, outbox, testing};

use crate::fixtures::{commit, event, id, now, plain, sequence, writer};

async fn opens_many_times(location: &Location) {
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let location = location.clone();
            tokio::spawn(async move { Store::open(&location).await })
        })
        .collect();
    let mut stores = Vec::new();
    for task in tasks {
        stores.push(task.await.unwrap().unwrap());
    }
    let writer = writer(&stores[0]).await;
    let first = commit(&stores[0], writer, &[plain(event(1, "custom.x"))]).await;
    drop(stores);

    let reopened = Store::open(location).await.unwrap();
    let mut conn = reopened.read().await.unwrap();
    let stored = events::get(&mut conn, "default", id(1)).await.unwrap().unwrap();
    assert_eq!(stored.sequence, sequence(first[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_open_one_postgres_at_once() {
    opens_many_times(&testing::temporary_schema(&testing::server_url()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    opens_many_times(&Location::Sqlite(dir.path().join("omni.db"))).await;
}

#[tokio::test]
async fn an_absent_server_is_told_without_the_password() {
    let url = "postgres://omni:hunter2@127.0.0.1:1/omni";
    let error = Store::open(&Location::Postgres(url.into())).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("127.0.0.1") && text.contains("refused"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!format!("{:?}", Location::Postgres(url.into())).contains("hunter2"));
    let error = Store::open(&Location::Postgres("not a url".into())).await.unwrap_err();
    assert!(matches!(error, Error::Location(_)), "{error}");
}

#[tokio::test]
async fn an_unusable_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(&Location::Sqlite(dir.path().into())).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_sqlite_reader_refuses_to_write() {
    let store = Store::temporary().await;
    assert_eq!(store.kind(), Kind::Sqlite);
    let mut reader = store.read().await.unwrap();
    assert!(outbox::claim_writer(&mut reader, "reader", now()).await.is_err());
}

/// A commit that is cut off at any await leaves no lock, and all of its batch or nothing.
async fn cut_commits_leave_no_halves(store: &Store) {
    let writer = writer(store).await;
    for polls in 1..100 {
        let mut conn = store.write().await.unwrap();
        let batch = [2 * polls, 2 * polls + 1].map(|n| plain(event(n, "custom.x")));
        let mut commit = events::commit_batch(&mut conn, writer, 0, now(), &batch);
        let mut polled = 0;
        let cut = std::future::poll_fn(|cx| {
            polled += 1;
            if polled > polls {
                return std::task::Poll::Ready(None);
            }
            commit.as_mut().poll(cx).map(Some)
        });
        let is_whole = cut.await.is_some();
        drop(commit);
        drop(conn);
        let mut conn = store.read().await.unwrap();
        // Before the last await the COMMIT may have been sent already.
        assert_eq!(events::count(&mut conn, "default").await.unwrap() % 2, 0, "{polls} polls");
        if is_whole {
            return;
        }
    }
    panic!("the commit never came to its end");
}

#[tokio::test]
async fn a_cut_commit_on_postgres_leaves_no_halves() {
    let store = Store::temporary_postgres(&testing::server_url()).await;
    cut_commits_leave_no_halves(&store).await;
}
