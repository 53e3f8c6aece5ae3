//! From the names that other documents give their events to event types.
//!
//! It must stay true that a name that is an event type already keeps its words, so that what was exported comes back as
//! what it was.

use omni_events::EventType;

/// The event type that a name means, under a prefix such as `custom` or `custom.shop`.
///
/// Words that are joined by anything but `-` and `_`, or by a capital letter, become parts: `Order Paid`, `orderPaid`
/// and `/order/paid` are all `custom.order.paid`. What the name and the prefix both begin with is not said twice.
///
/// # Errors
/// Why there is none, and what to do instead.
pub(super) fn event_type_of(prefix: &str, name: &str) -> Result<EventType, String> {
    if name.chars().any(|letter| letter.is_alphanumeric() && !letter.is_ascii()) {
        return Err("it has letters other than a-z; rename it in the document".to_owned());
    }
    let words = words(name);
    if words.is_empty() {
        return Err("it has no letter or digit; rename it in the document".to_owned());
    }
    let prefixed: Vec<&str> = prefix.split('.').collect();
    let mut rest: Vec<&str> = words.iter().map(String::as_str).collect();
    if rest.len() > prefixed.len() && rest.starts_with(&prefixed) {
        rest.drain(..prefixed.len());
    } else if rest.len() > 1 && rest.first() == prefixed.first() {
        rest.remove(0);
    }
    let joined = [prefixed, rest].concat().join(".");
    EventType::parse(&joined).map_err(|error| error.to_string())
}

/// The words of a name in lower case; what has no letter or digit is none.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_') {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(at + 1);
        // `orderPaid` has its border before the capital letter, `HTTPError` before the last capital letter.
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| word.bytes().any(|byte| byte.is_ascii_alphanumeric()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_types() {
        for (name, expected) in [
            ("Order Paid", "custom.order.paid"),
            ("orderPaid", "custom.order.paid"),
            ("OrderPaid", "custom.order.paid"),
            ("order.paid", "custom.order.paid"),
            ("/orders/paid", "custom.orders.paid"),
            ("/orders/{orderId}/paid", "custom.orders.order.id.paid"),
            ("order:paid.v2", "custom.order.paid.v2"),
            ("v2Order", "custom.v2.order"),
            ("HTTPServerError", "custom.http.server.error"),
            ("branch-protection-rule-created", "custom.branch-protection-rule-created"),
            ("ORDER_PAID", "custom.order_paid"),
            ("Order - Paid", "custom.order.paid"),
            ("custom.vip-message_2", "custom.vip-message_2"),
            ("message.received", "custom.message.received"),
            ("custom", "custom.custom"),
            ("ping", "custom.ping"),
        ] {
            let found = event_type_of("custom", name).map(|found| found.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_the_prefix_says_is_not_said_twice() {
        for (prefix, name, expected) in [
            ("custom.shop", "order.paid", "custom.shop.order.paid"),
            ("custom.shop", "custom.shop.order.paid", "custom.shop.order.paid"),
            ("custom.shop", "custom.order.paid", "custom.shop.order.paid"),
            ("custom.shop", "custom.shop", "custom.shop.shop"),
            ("system", "system.backup", "system.backup"),
        ] {
            let found = event_type_of(prefix, name).map(|found| found.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{prefix} {name}");
        }
    }

    #[test]
    fn a_name_without_a_type_is_told_why() {
        let long = "x".repeat(250);
        let deep = "a.".repeat(20);
        for (name, why) in [
            ("", "no letter"),
            ("/-/", "no letter"),
            ("Überweisung", "other than a-z"),
            (long.as_str(), "200 bytes"),
            (deep.as_str(), "14 parts"),
        ] {
            let refused = event_type_of("custom", name).unwrap_err();
            assert!(refused.contains(why), "{name}: {refused}");
        }
    }
}
