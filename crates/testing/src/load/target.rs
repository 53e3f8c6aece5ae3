//! What is sent: signed GitHub-like pushes of 1 KiB, each with its own number and delivery id, and
//! the definitions on the server that take them.

use std::net::SocketAddr;

use omni_clock::Random;
use omni_crypto::hmac_sha256;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::load::error::Error;
use crate::load::http::{Connection, Message, rest};

/// Size of every body, as in the bars.
const BODY_SIZE: usize = 1024;
/// Every so many numbers one asks for effects, in runs that count effects.
pub(crate) const EFFECT_EVERY: u64 = 4;

/// A source on a server and how to sign for it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    secret: String,
    /// Tells the deliveries of this run from those of every other.
    run: u32,
}

/// The answer to a delivery.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acknowledgement {
    acknowledged: bool,
    event_id: String,
}

impl Target {
    /// Makes up a secret and a run.
    pub(crate) fn new(addr: SocketAddr, random: &Random) -> Self {
        let secret = format!("{:032x}", u128::from_be_bytes(random.bytes()));
        Self { addr, secret, run: random.next_u64() as u32 }
    }

    /// The same source behind another address, where its server was started again.
    pub(crate) fn at(self, addr: SocketAddr) -> Self {
        Self { addr, ..self }
    }

    /// Creates the source on the server.
    pub(crate) async fn create_source(&self) -> Result<(), Error> {
        let source = json!({ "name": "github", "provider": "github", "secret": self.secret });
        rest(self.addr, "/api/sources", Some(&source)).await.map(|_| ())
    }

    /// Creates an automation on the server.
    pub(crate) async fn create_automation(&self, automation: &Value) -> Result<(), Error> {
        rest(self.addr, "/api/automations", Some(automation)).await.map(|_| ())
    }

    /// The delivery id of a number, in the form GitHub gives it.
    pub(crate) fn delivery(&self, number: u64) -> String {
        format!("{:08x}-0000-4000-8000-{number:012x}", self.run)
    }

    /// The whole request of a number, ready for the wire.
    pub(crate) fn request(&self, number: u64) -> Vec<u8> {
        let body = body(number);
        let tag = hex(&hmac_sha256(self.secret.as_bytes(), &[body.as_bytes()]));
        let (addr, delivery) = (self.addr, self.delivery(number));
        format!(
            "POST /webhooks/github HTTP/1.1\r\nHost: {addr}\r\nUser-Agent: GitHub-Hookshot/load\r\n\
             Content-Type: application/json\r\nContent-Length: {BODY_SIZE}\r\n\
             X-GitHub-Event: push\r\nX-GitHub-Delivery: {delivery}\r\n\
             X-Hub-Signature-256: sha256={tag}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Sends a prepared request and returns the id of the event that it became.
    pub(crate) async fn deliver(
        &self,
        connection: &mut Connection,
        request: &[u8],
    ) -> Result<String, Error> {
        event_id(connection.ask(request).await?.success()?)
    }
}

/// The id in an answer of success; an answer that acknowledges nothing is an error.
pub(crate) fn event_id(answer: Message) -> Result<String, Error> {
    let given: Acknowledgement = serde_json::from_slice(&answer.body)?;
    if given.acknowledged && !given.event_id.is_empty() {
        return Ok(given.event_id);
    }
    Err(Error::new("answered 200 without acknowledging an event"))
}

/// A push of exactly [`BODY_SIZE`] bytes.
fn body(number: u64) -> String {
    let effect = number.is_multiple_of(EFFECT_EVERY);
    let mut body = format!(
        r#"{{"ref":"refs/heads/main","before":"{number:040x}","after":"{:040x}","number":{number},"effect":{effect},"repository":{{"id":186853002,"name":"orders","full_name":"acme/orders","private":false,"owner":{{"name":"acme","login":"acme","id":2093440}}}},"pusher":{{"name":"robin","email":"robin@acme.example"}},"sender":{{"login":"robin","id":7140993,"type":"User"}},"commits":[{{"id":"{:040x}","message":"Take the total from the order","timestamp":"2026-03-04T11:22:33Z","author":{{"name":"Robin","email":"robin@acme.example"}},"added":["src/total.rs"],"removed":[],"modified":["src/order.rs","README.md"]}}],"compare":"https://github.example/acme/orders/compare/"#,
        number + 1,
        number + 1,
    );
    let room = BODY_SIZE.saturating_sub(body.len() + 2);
    body.extend(std::iter::repeat_n('f', room));
    body.push_str("\"}");
    body
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_of_the_right_size() {
        for number in [0, 1, 4, 999_999_999] {
            let body = body(number);
            assert_eq!(body.len(), BODY_SIZE, "{body}");
            let value: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(value["number"], number);
            assert_eq!(value["effect"], number % EFFECT_EVERY == 0);
        }
    }

    #[test]
    fn a_request_is_signed_and_unlike_every_other() {
        let target = Target::new("127.0.0.1:1".parse().unwrap(), &Random::seeded(1));
        let (one, two) = (target.request(1), target.request(2));
        assert_ne!(one, two);
        let text = String::from_utf8(one).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let tag = hex(&hmac_sha256(target.secret.as_bytes(), &[body.as_bytes()]));
        assert!(head.contains(&format!("sha256={tag}")), "{head}");
        assert!(head.contains(&target.delivery(1)));
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
