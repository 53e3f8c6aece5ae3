//! What the texts at one place have in common: a format, or a few words that they are taken from.
//!
//! It must stay true that a value is kept only while it could be a word of an enumeration, so that what people wrote is
//! neither held nor shown.

use std::{collections::BTreeMap, net::Ipv4Addr};

/// Fewest texts before a format is proposed: fewer agree by chance.
const FORMAT_SEEN_MIN: u64 = 5;
/// Fewest texts before an enumeration is proposed.
const ENUM_SEEN_MIN: u64 = 50;
/// Most words of an enumeration, and most that are held for one place.
const ENUM_WORDS_MAX: usize = 10;
/// Longest word of an enumeration in bytes; what is longer was written by hand.
const WORD_MAX: usize = 40;
/// Most digits in a word of an enumeration; what has more counts or names something.
const WORD_DIGITS_MAX: usize = 3;
/// Longest key in bytes that can be the name of a property.
const NAME_MAX: usize = 64;

/// Names of properties whose values are about a person, free text, or a secret: never an enumeration.
const NEVER_WORDS: &[&str] = &[
    "address",
    "author",
    "body",
    "city",
    "comment",
    "contact",
    "customer",
    "description",
    "email",
    "firstname",
    "from",
    "fullname",
    "guid",
    "handle",
    "hash",
    "id",
    "ids",
    "ip",
    "key",
    "lastname",
    "login",
    "mail",
    "message",
    "mobile",
    "name",
    "names",
    "nickname",
    "note",
    "notes",
    "owner",
    "password",
    "person",
    "phone",
    "postcode",
    "recipient",
    "secret",
    "sender",
    "signature",
    "street",
    "subject",
    "summary",
    "text",
    "title",
    "to",
    "token",
    "user",
    "username",
    "users",
    "uuid",
    "zip",
];

/// A format with its test.
type Format = (&'static str, fn(&str) -> bool);

/// Formats from the narrowest test to the widest; the position is the bit in [`formats_of`].
const FORMATS: [Format; 6] = [
    ("date-time", is_date_time),
    ("date", is_date),
    ("uuid", is_uuid),
    ("ipv4", |text| text.parse::<Ipv4Addr>().is_ok()),
    ("email", is_email),
    ("uri", is_uri),
];

/// The texts seen at one place.
#[derive(Clone)]
pub(super) struct Texts {
    pub(super) seen: u64,
    /// The formats that all of them have, one bit each.
    formats: u8,
    /// The words they are taken from; `None` once they are no enumeration.
    words: Option<BTreeMap<Box<str>, Word>>,
}

/// One word that may become part of an enumeration.
#[derive(Clone, Copy)]
struct Word {
    seen: u64,
    /// In how many documents: what one document repeats is one person's word.
    documents: u64,
    last_document: u64,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { seen: 0, formats: u8::MAX, words: Some(BTreeMap::new()) }
    }

    pub(super) fn add(&mut self, text: &str, document: u64) {
        self.seen += 1;
        if self.formats != 0 {
            self.formats &= formats_of(text);
        }
        let Some(words) = &mut self.words else { return };
        if let Some(word) = words.get_mut(text) {
            word.seen += 1;
            word.documents += u64::from(word.last_document != document);
            word.last_document = document;
        } else if words.len() < ENUM_WORDS_MAX && is_word(text) {
            words.insert(text.into(), Word { seen: 1, documents: 1, last_document: document });
        } else {
            self.words = None;
        }
    }

    /// Joins what was seen elsewhere; `same` when it may have been in the same documents.
    pub(super) fn merge(&mut self, other: Self, same: bool) {
        self.seen += other.seen;
        self.formats &= other.formats;
        let (Some(words), Some(others)) = (&mut self.words, other.words) else {
            self.words = None;
            return;
        };
        for (text, other) in others {
            let word =
                words.entry(text).or_insert(Word { seen: 0, documents: 0, last_document: 0 });
            word.seen += other.seen;
            // Documents that may be the same must not count twice: a word of one person would become public.
            word.documents = if same {
                word.documents.max(other.documents)
            } else {
                word.documents + other.documents
            };
            word.last_document = if same { word.last_document.max(other.last_document) } else { 0 };
        }
        if words.len() > ENUM_WORDS_MAX {
            self.words = None;
        }
    }

    /// The format that all texts have.
    pub(super) fn format(&self) -> Option<&'static str> {
        let place = self.formats.trailing_zeros() as usize;
        FORMATS.get(place).filter(|_| self.seen >= FORMAT_SEEN_MIN).map(|(name, _)| *name)
    }

    /// The words that the texts are taken from, the most frequent first, if they are an enumeration.
    ///
    /// A single word is none: it says more about the sample than about the type.
    pub(super) fn enumeration(&self, name: &str) -> Option<Vec<&str>> {
        let words = self.words.as_ref()?;
        let enough = self.seen >= ENUM_SEEN_MIN && words.len() >= 2;
        if !enough || words.values().any(|word| word.documents < 2) || is_never_words(name) {
            return None;
        }
        let mut sorted: Vec<_> = words.iter().collect();
        sorted.sort_by(|(a, left), (b, right)| right.seen.cmp(&left.seen).then_with(|| a.cmp(b)));
        Some(sorted.into_iter().map(|(word, _)| &**word).collect())
    }
}

/// Whether a key names one thing among many (an id, a day, an address) rather than a property.
pub(super) fn is_identifier(key: &str) -> bool {
    let digits = digits(key);
    key.len() > NAME_MAX
        || key.chars().any(char::is_control)
        || key.contains('@')
        || (digits > 0 && digits == key.len())
        || digits >= 6
        || (key.len() >= 16 && digits >= 4 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        || formats_of(key) != 0
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD_MAX
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/+-".contains(&byte))
        && digits(text) <= WORD_DIGITS_MAX
        && formats_of(text) == 0
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether a word of the name, as in `firstName` or `user_email`, forbids an enumeration.
fn is_never_words(name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    let mut word = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| letters.get(before));
        let hump = letter.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase())
                || letters.get(place + 1).is_some_and(|after| after.is_lowercase()));
        if !letter.is_alphanumeric() || hump {
            if NEVER_WORDS.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
    }
    NEVER_WORDS.contains(&word.as_str())
}

/// The formats that a text has, one bit each.
fn formats_of(text: &str) -> u8 {
    FORMATS.iter().rev().fold(0, |bits, (_, test)| bits << 1 | u8::from(test(text)))
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || !text.is_ascii() || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (number(&text[..4]), number(&text[5..7]), number(&text[8..]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// RFC 3339, without leap seconds and in capitals: what every checker takes.
fn is_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let Some(zone_at) = rest.find(['Z', '+', '-']) else { return false };
    let (time, zone) = rest.split_at(zone_at);
    let (seconds, fraction) =
        time.split_once('.').map_or((time, None), |(left, right)| (left, Some(right)));
    let zoned = zone == "Z" || (zone.len() == 6 && is_clock(&zone[1..], 2));
    let fraction_fits = fraction.is_none_or(|digits| {
        (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_date(date) && seconds.len() == 8 && is_clock(seconds, 3) && fraction_fits && zoned
}

/// Whether a text is `hh:mm` or `hh:mm:ss`, by the number of parts.
fn is_clock(text: &str, parts: usize) -> bool {
    let limits = [23, 59, 59];
    let fits = |(part, limit): (&str, u32)| {
        part.len() == 2 && number(part).is_some_and(|value| value <= limit)
    };
    text.split(':').count() == parts && text.split(':').zip(limits).all(fits)
}

fn is_uuid(text: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_%+-".contains(&byte))
    };
    local.len() <= 64 && local.split('.').all(atom) && domain.contains('.') && is_host(domain)
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// An absolute address with a host, without user or password in it.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (host, port) =
        authority.split_once(':').map_or((authority, None), |(left, right)| (left, Some(right)));
    let port_fits =
        port.is_none_or(|port| number(port).is_some_and(|port| (1..=65_535).contains(&port)));
    scheme_fits && is_host(host) && port_fits && is_uri_tail(tail)
}

fn is_uri_tail(tail: &str) -> bool {
    let mut escape = 0;
    let mut hashes = 0;
    for byte in tail.bytes() {
        if escape > 0 && !byte.is_ascii_hexdigit() {
            return false;
        }
        escape = if byte == b'%' { 2 } else { usize::saturating_sub(escape, 1) };
        hashes += usize::from(byte == b'#');
        if !byte.is_ascii_alphanumeric() && !b"-._~%!$&'()*+,;=:@/?#".contains(&byte) {
            return false;
        }
    }
    escape == 0 && hashes <= 1
}
