//! What is kept of the headers of any stage: the one place that takes secrets out.

/// Most headers that are kept.
const HEADERS_MAX: usize = 64;
/// Longest value that is kept, in bytes.
const VALUE_LEN_MAX: usize = 4096;
/// All names and values together, in bytes.
const TOTAL_LEN_MAX: usize = 16 * 1024;

/// What a secret is called. A header with one of these in its name is kept without its value; rather one too many.
const SECRET_WORDS: [&str; 10] = [
    "auth",
    "cookie",
    "token",
    "secret",
    "passw",
    "apikey",
    "session",
    "credential",
    "jwt",
    "bearer",
];
/// How the names of keys end: `x-api-key`, `x-functions-key`.
const KEY: &str = "-key";
/// The one header that ends so and holds no secret.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// What may be kept of headers, in the order of arrival: names in small letters, and values without secrets.
///
/// Secrets are known by their names, and by `secret`, the header in which a source expects its own. Signatures stay: they
/// prove a body and open nothing, and without them a capture cannot be checked again. Of very many or very long headers
/// only the first are kept.
pub fn kept_headers<'h>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    secret: Option<&str>,
) -> Vec<(String, String)> {
    let mut total = 0;
    let mut kept = Vec::new();
    for (name, value) in headers.take(HEADERS_MAX) {
        let name = name.to_ascii_lowercase();
        let is_own = secret.is_some_and(|secret| secret.eq_ignore_ascii_case(&name));
        let value = if is_own || is_secret(&name) { REDACTED.to_owned() } else { text(value) };
        total += name.len() + value.len();
        if total > TOTAL_LEN_MAX {
            break;
        }
        kept.push((name, value));
    }
    kept
}

/// `name` is in small letters.
fn is_secret(name: &str) -> bool {
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || (name.ends_with(KEY) && !name.ends_with(IDEMPOTENCY_KEY))
}

/// The beginning of a value, as text that every database takes.
pub(super) fn text(value: &[u8]) -> String {
    let head = value.get(..VALUE_LEN_MAX).unwrap_or(value);
    String::from_utf8_lossy(head).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// One case of `testdata/headers.json`.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        #[serde(default)]
        secret: Option<String>,
        /// Whether its value stays.
        kept: bool,
    }

    #[test]
    fn secrets_lose_their_values_and_signatures_keep_theirs() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../testdata/headers.json")).unwrap();
        assert!(cases.len() > 30);
        for case in cases {
            for name in [case.name.clone(), case.name.to_uppercase(), case.name.to_lowercase()] {
                let header = std::iter::once((name.as_str(), b"canary".as_slice()));
                let kept = kept_headers(header, case.secret.as_deref());
                let value = if case.kept { "canary" } else { REDACTED };
                assert_eq!(kept, [(case.name.to_lowercase(), value.to_owned())], "{name}");
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let names: Vec<String> = (0..200).map(|n| format!("x-{n}")).collect();
        let long = b"v".repeat(10_000);
        let kept = kept_headers(names.iter().map(|name| (name.as_str(), long.as_slice())), None);
        let total: usize = kept.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(total > 0 && total <= TOTAL_LEN_MAX);
        let kept = kept_headers(names.iter().map(|name| (name.as_str(), b"v".as_slice())), None);
        assert_eq!(kept.len(), HEADERS_MAX);
    }

    #[test]
    fn bytes_that_no_database_takes_are_replaced() {
        assert_eq!(text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
    }
}
