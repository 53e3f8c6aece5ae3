//! Finding a server and getting in.

use std::{net::TcpListener, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use omni_event_bus::{Credentials, Error, EventBus, NatsOptions, testing::NatsServer};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{open, orders, refusal};

/// What must not appear in any text.
const SECRET: &str = "s3cr3t-of-ours";

fn with(server: &NatsServer, credentials: Credentials) -> NatsOptions {
    NatsOptions { credentials, ..NatsOptions::new(server.url()) }
}

fn within(server: &NatsServer, login: &str) -> NatsOptions {
    NatsOptions::new(server.url().replace("://", &format!("://{login}@")))
}

async fn lets_in(options: NatsOptions) {
    let bus = EventBus::nats(options).await.unwrap();
    assert_eq!(bus.publish_raw(orders(1)).await.unwrap().len(), 1);
    assert!(!format!("{bus:?}").contains(SECRET));
}

/// Refused with these words, and without secrets.
async fn refuses(options: NatsOptions, words: &str) {
    let (error, text) = refusal(options).await;
    assert!(matches!(error, Error::Connect { .. }), "{text}");
    assert!(text.contains(words) && !text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let server = NatsServer::start_with(&format!(
        "authorization {{ user: omni, password: \"{SECRET}/1\" }}"
    ))
    .await;
    let password =
        |password: &str| Credentials::Password { user: "omni".into(), password: password.into() };
    lets_in(with(&server, password(&format!("{SECRET}/1")))).await;
    lets_in(within(&server, &format!("omni:{SECRET}%2F1"))).await;
    refuses(with(&server, password(&format!("{SECRET}2"))), "user `omni`").await;
    refuses(within(&server, &format!("omni:{SECRET}2")), "user `omni`").await;
    refuses(within(&server, &format!("{SECRET}2")), "refuses the token").await;
    refuses(with(&server, Credentials::None), "wants a login").await;
}

#[tokio::test]
async fn a_token_opens_and_a_wrong_one_does_not() {
    let server = NatsServer::start_with(&format!("authorization {{ token: \"{SECRET}\" }}")).await;
    lets_in(with(&server, Credentials::Token(SECRET.into()))).await;
    lets_in(within(&server, SECRET)).await;
    refuses(with(&server, Credentials::Token(format!("{SECRET}2"))), "refuses the token").await;
}

#[tokio::test]
async fn a_key_opens_and_another_one_does_not() {
    let key = KeyPair::new_user();
    let users = format!("authorization {{ users: [ {{ nkey: \"{}\" }} ] }}", key.public_key());
    let server = NatsServer::start_with(&users).await;
    let seed = key.seed().unwrap();
    lets_in(with(&server, Credentials::NKey(seed.clone()))).await;
    lets_in(within(&server, &seed)).await;
    let other = KeyPair::new_user().seed().unwrap();
    let (_, text) = refusal(with(&server, Credentials::NKey(other.clone()))).await;
    assert!(text.contains("refuses the NKey") && !text.contains(&other), "{text}");
    refuses(with(&server, Credentials::NKey(SECRET.into())), "seed is not valid").await;
}

/// A token as the servers' tools write it: claims about `subject`, signed by `issuer`.
fn signed(issuer: &KeyPair, subject: &KeyPair, nats: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = part(&json!({
        "jti": "1",
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "name": "test",
        "sub": subject.public_key(),
        "nats": nats,
    }));
    let text = format!("{head}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

/// A credentials file for a user of this account.
fn credentials(directory: &TempDir, name: &str, account: &KeyPair) -> PathBuf {
    let user = KeyPair::new_user();
    let claims = json!({
        "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2,
    });
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        signed(account, &user, &claims),
        user.seed().unwrap()
    );
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_credentials_file_opens_and_that_of_another_account_does_not() {
    let operator = KeyPair::new_operator();
    let (account, system, stranger) =
        (KeyPair::new_account(), KeyPair::new_account(), KeyPair::new_account());
    let of_operator = json!({
        "type": "operator", "version": 2, "system_account": system.public_key(),
    });
    let of_account = |storage: i64| {
        json!({
            "type": "account",
            "version": 2,
            "default_permissions": { "pub": {}, "sub": {} },
            "limits": {
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
                "wildcards": true, "conn": -1, "leaf": -1, "mem_storage": storage,
                "disk_storage": storage, "streams": -1, "consumer": -1,
            },
        })
    };
    let server = NatsServer::start_with(&format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        signed(&operator, &operator, &of_operator),
        system.public_key(),
        system.public_key(),
        signed(&operator, &system, &of_account(0)),
        account.public_key(),
        signed(&operator, &account, &of_account(1 << 30)),
    ))
    .await;
    let directory = tempfile::tempdir().unwrap();
    let ours = credentials(&directory, "ours.creds", &account);
    lets_in(with(&server, Credentials::File(ours))).await;
    let theirs = credentials(&directory, "theirs.creds", &stranger);
    refuses(with(&server, Credentials::File(theirs)), "theirs.creds").await;

    let none = directory.path().join("none.creds");
    refuses(with(&server, Credentials::File(none.clone())), "cannot be read").await;
    std::fs::write(&none, SECRET).unwrap();
    refuses(with(&server, Credentials::File(none)), "not a credentials file").await;
}

#[tokio::test]
async fn without_jetstream_it_says_how_to_enable_it() {
    let server = NatsServer::start_without_jetstream().await;
    let (error, text) = refusal(NatsOptions::new(server.url())).await;
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("`-js`"), "{text}");
}

#[tokio::test]
async fn an_account_that_may_not_keep_enough_is_told_so() {
    let server = NatsServer::start_with(
        "accounts { A { jetstream { max_streams: 3 }, users: [ { user: omni, password: pw } ] } }",
    )
    .await;
    let (error, text) = refusal(within(&server, "omni:pw")).await;
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("maximum number of streams"), "{text}");
}

#[tokio::test]
async fn where_nobody_listens_the_address_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = NatsOptions::new(format!("nats://omni:{SECRET}@127.0.0.1:{port}"));
    refuses(options, &format!("127.0.0.1:{port}")).await;
}

#[tokio::test]
async fn one_server_of_several_is_enough() {
    let server = NatsServer::start().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let both = format!("nats://127.0.0.1:{port},{}", server.url());
    lets_in(NatsOptions::new(both)).await;
}

#[tokio::test]
async fn an_address_alone_opens_either_bus() {
    let server = NatsServer::start().await;
    open(&server).await.publish_raw(orders(1)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let embedded = format!("embedded:{}", directory.path().display());
    for (address, sequence) in [(embedded, 1), (server.url(), 2)] {
        let bus = EventBus::open(&address).await.unwrap();
        assert_eq!(bus.publish_raw(orders(1)).await.unwrap()[0].sequence, sequence, "{address}");
    }
    for address in ["", "embedded:", "kafka://s3cr3t-of-ours@host", "localhost", "/tmp"] {
        let error = EventBus::open(address).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
        assert!(error.to_string().contains("embedded:PATH") && !error.to_string().contains(SECRET));
    }
}
