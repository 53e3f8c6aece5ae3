//! Everything that is wrong with one definition; all of it is told at once, each with its place.

use http::{HeaderName, HeaderValue};
use omni_events::EventType;

use super::{Key, TypeFrom};
use crate::{
    Definition, EventTypeFrom, Problem,
    definition::{Handshake, Verifier},
    provider::{self, Template},
    secrets::Secrets,
    webhook::Scheme,
};

/// Longest name: it is a part of an event type of 200 bytes.
const NAME_LEN_MAX: usize = 64;
/// Longest secret in bytes: a public key in PEM has up to a few hundred; longer texts are no keys.
const SECRET_LEN_MAX: usize = 8192;
/// Longest path into a body in bytes.
const PATH_LEN_MAX: usize = 256;
/// Stands for a hash of the body in the list of idempotency keys.
const BODY_KEY: &str = "body";
/// Stands before a path into the body in that list.
const FIELD_KEY: &str = "field:";

pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::at(pointer, message));
    }

    pub(super) fn name(&mut self, name: &str) -> Option<EventType> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(good) {
            self.add("/name", "use 1 to 64 of a-z, 0-9, `-` and `_`");
            return None;
        }
        EventType::parse(&format!("custom.webhook.{name}"))
            .map_err(|error| self.add("/name", error.to_string()))
            .ok()
    }

    pub(super) fn template(&mut self, definition: &Definition) -> Option<&'static Template> {
        let name = definition.provider.as_deref()?;
        let found = provider::find(name);
        if found.is_none() {
            let known = "there is no such provider; GET /api/sources/providers lists them, and `generic` is anybody";
            self.add("/provider", known);
        }
        found
    }

    pub(super) fn secrets(
        &mut self,
        definition: &Definition,
        secrets: &Secrets,
        scheme: Option<&Scheme>,
    ) {
        let verifier = definition.verifier();
        let unverified = verifier == Verifier::None;
        match (secrets.held.is_empty(), definition.handshake()) {
            // Asana tells the secret itself, when it greets.
            (true, Some(Handshake::Asana)) => {}
            (true, Some(Handshake::X | Handshake::Zoom)) => {
                self.add("/secret", "the greeting is answered with a secret; set one");
            }
            (true, _) if verifier.needs_secret() => self.add(
                "/secret",
                "the verifier needs a secret; set one, or `\"verifier\": \"none\"` to take unsigned requests",
            ),
            (false, None) if unverified && definition.verifier.is_none() => self.add(
                "/verifier",
                "a secret is set but nothing uses it; say how requests prove it with `hmacSha256` or `apiKey`",
            ),
            _ => {}
        }
        for held in &secrets.held {
            self.length("/secret", held.secret.expose().len());
            let unusable = scheme.and_then(|scheme| scheme.check_secret(&held.secret).err());
            self.0.extend(unusable.filter(|_| !held.secret.expose().is_empty()));
        }
        if let Some(second) = &secrets.second {
            self.length("/secondSecret", second.expose().len());
        }
        let asked =
            verifier.needs_second_secret() || definition.handshake() == Some(Handshake::Meta);
        if asked && secrets.second.is_none() {
            let what = definition.template().and_then(|template| template.second_secret.as_deref());
            let what = what.unwrap_or("the token of the greeting, or a part of what is signed");
            self.add("/secondSecret", format!("it is needed: {what}"));
        }
    }

    fn length(&mut self, pointer: &str, len: usize) {
        if len == 0 {
            self.add(pointer, "an empty secret proves nothing; leave it out or set one");
        } else if len > SECRET_LEN_MAX {
            self.add(pointer, format!("use at most {SECRET_LEN_MAX} bytes"));
        }
    }

    pub(super) fn scheme(&mut self, definition: &Definition) -> Option<Scheme> {
        let at = if definition.verifier.is_some() { "/verifier" } else { "/provider" };
        match Scheme::new(&definition.verifier(), at) {
            Ok(scheme) => Some(scheme),
            Err(problems) => {
                self.0.extend(problems);
                None
            }
        }
    }

    pub(super) fn expected(&mut self, definition: &Definition) -> Vec<(HeaderName, HeaderValue)> {
        let mut expected = Vec::new();
        for (name, value) in &definition.expected_headers {
            let pointer =
                format!("/expectedHeaders/{}", name.replace('~', "~0").replace('/', "~1"));
            let value = HeaderValue::from_str(value).ok();
            if value.is_none() {
                self.add(pointer.clone(), "this is no HTTP header value");
            }
            expected.extend(self.header(&pointer, name).zip(value));
        }
        expected
    }

    /// The places of keys: the source's own, and its provider's.
    pub(super) fn keys(&mut self, definition: &Definition) -> (Vec<Key>, Vec<Key>) {
        let own = &definition.idempotency_keys;
        let template = definition.template().map(|template| template.idempotency_keys.as_slice());
        let own = self.keys_of("/idempotencyKeys", own);
        (own, self.keys_of("/provider", template.unwrap_or_default()))
    }

    fn keys_of(&mut self, at: &str, names: &[String]) -> Vec<Key> {
        let mut keys = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let pointer = format!("{at}/{index}");
            if name == BODY_KEY {
                keys.push(Key::Body);
            } else if let Some(path) = name.strip_prefix(FIELD_KEY) {
                keys.extend(self.path(&pointer, path).map(Key::Field));
            } else {
                keys.extend(self.header(&pointer, name).map(Key::Header));
            }
        }
        keys
    }

    pub(super) fn type_from(&mut self, definition: &Definition) -> Option<TypeFrom> {
        let template = || definition.template()?.event_type_from.as_ref();
        match definition.event_type_from.as_ref().or_else(template)? {
            EventTypeFrom::Header(name) => {
                self.header("/eventTypeFrom/header", name).map(TypeFrom::Header)
            }
            EventTypeFrom::Path(path) => self.path("/eventTypeFrom/path", path).map(TypeFrom::Path),
        }
    }

    fn header(&mut self, pointer: &str, name: &str) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        if parsed.is_none() {
            self.add(pointer, "this is no HTTP header name");
        }
        parsed
    }

    fn path(&mut self, pointer: &str, path: &str) -> Option<Vec<String>> {
        if path.len() > PATH_LEN_MAX || path.split('.').any(str::is_empty) {
            self.add(pointer, "use a dotted path into the body, as in data.type");
            return None;
        }
        Some(path.split('.').map(str::to_owned).collect())
    }
}
