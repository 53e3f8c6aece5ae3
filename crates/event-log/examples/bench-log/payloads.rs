//! Payloads as GitHub and WhatsApp write them, filled up with words to one KiB.

use fastrand::Rng;

use crate::words::Words;

/// How long a payload is, in bytes.
pub(crate) const SIZE: usize = 1024;

/// Of a message: what the payload and the columns both tell.
pub(crate) struct Chat {
    pub(crate) message_id: String,
    pub(crate) person: String,
    pub(crate) text: String,
    pub(crate) inbound: bool,
}

/// A push to a repository.
pub(crate) fn delivery(words: &Words, rng: &mut Rng) -> String {
    let (after, before, tree) = (hex(rng, 40), hex(rng, 40), hex(rng, 40));
    let (owner, repository) = (words.pick(rng).to_owned(), words.pick(rng).to_owned());
    let (login, folder, file) =
        (words.pick(rng).to_owned(), words.pick(rng).to_owned(), words.pick(rng).to_owned());
    let (owner_id, repository_id, login_id) = (
        rng.u32(1_000_000..90_000_000),
        rng.u32(1_000_000..900_000_000),
        rng.u32(1_000..90_000_000),
    );
    let (minute, second, added) = (rng.u8(..60), rng.u8(..60), words.pick(rng));
    let head = format!(
        r#"{{"ref":"refs/heads/{file}","before":"{before}","after":"{after}","repository":{{"id":{repository_id},"name":"{repository}","full_name":"{owner}/{repository}","private":true,"owner":{{"login":"{owner}","id":{owner_id},"type":"Organization"}},"default_branch":"main"}},"pusher":{{"name":"{login}","email":"{login}@{owner}.example"}},"sender":{{"login":"{login}","id":{login_id},"type":"User","site_admin":false}},"commits":[{{"id":"{after}","tree_id":"{tree}","distinct":true,"timestamp":"2026-03-04T11:{minute:02}:{second:02}Z","author":{{"name":"{login}","username":"{login}"}},"added":["{folder}/{added}.rs"],"removed":[],"modified":["{folder}/{file}.rs"],"message":""#
    );
    filled(words, rng, head, "\"}]}")
}

/// The headers of a push that are kept.
pub(crate) fn headers(event: &str, delivery: String) -> Vec<(String, String)> {
    let headers = [
        ("host", "hooks.omni.example"),
        ("user-agent", "GitHub-Hookshot/8d33975"),
        ("content-length", "1024"),
        ("accept", "*/*"),
        ("content-type", "application/json"),
        ("x-github-event", event),
        ("x-github-hook-id", "4711815"),
        ("x-github-hook-installation-target-id", "186853002"),
        ("x-github-hook-installation-target-type", "repository"),
    ];
    let mut headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.push(("x-github-delivery".to_owned(), delivery));
    headers
}

/// A message, with what the channel tells besides the text.
pub(crate) fn message(chat: &Chat, words: &Words, rng: &mut Rng) -> String {
    let Chat { message_id, person, text, inbound } = chat;
    let (name, party) = (words.text(rng, 2), if *inbound { "from" } else { "to" });
    let (key, other_key, secret) = (base64(rng, 12), base64(rng, 12), base64(rng, 44));
    let (seconds, quoted) = (rng.u32(1_790_000_000..1_798_000_000), rng.u64(..));
    let head = format!(
        r#"{{"messageId":"{message_id}","chatId":"{person}@s.whatsapp.net","{party}":{{"id":"{person}","name":"{name}"}},"content":{{"type":"text","text":"{text}"}},"messageTimestamp":{seconds},"pushName":"{name}","broadcast":false,"status":"DELIVERY_ACK","key":{{"remoteJid":"{person}@s.whatsapp.net","fromMe":{},"id":"{message_id}"}},"messageContextInfo":{{"deviceListMetadata":{{"senderKeyHash":"{key}","senderTimestamp":"{}","recipientKeyHash":"{other_key}"}},"deviceListMetadataVersion":2,"messageSecret":"{secret}"}},"contextInfo":{{"stanzaId":"3EB0{quoted:016X}","participant":"{person}@s.whatsapp.net","quotedMessage":{{"conversation":""#,
        !inbound,
        seconds - 1000,
    );
    filled(words, rng, head, "\"}}}")
}

/// A telephone number for a person.
pub(crate) fn telephone(person: u64) -> String {
    format!("5511{:09}", 910_000_000 + person * 397)
}

fn filled(words: &Words, rng: &mut Rng, mut head: String, tail: &str) -> String {
    let room = SIZE.saturating_sub(head.len() + tail.len());
    head.push_str(&words.fill(rng, room));
    head.push_str(tail);
    head
}

fn hex(rng: &mut Rng, length: usize) -> String {
    chosen(rng, length, b"0123456789abcdef")
}

fn base64(rng: &mut Rng, length: usize) -> String {
    chosen(rng, length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

fn chosen(rng: &mut Rng, length: usize, letters: &[u8]) -> String {
    (0..length).map(|_| char::from(letters[rng.usize(..letters.len())])).collect()
}
