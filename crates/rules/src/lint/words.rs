//! Questions as findings name them.

use crate::{
    explain::brief,
    predicate::{Literal, Predicate, address, number::Range},
};

/// So many alternatives of a list are named.
const NAMED_MAX: usize = 3;

pub(super) fn words(predicate: &Predicate) -> String {
    let quoted = |text: &str| brief(&text.into());
    match predicate {
        Predicate::Equals(literal) => self::literal(literal),
        Predicate::Address(network) if network.bits == address::width(network.address) => {
            format!("\"{}\"", network.address)
        }
        Predicate::Address(network) => format!("cidr \"{}/{}\"", network.address, network.bits),
        Predicate::Prefix(text) => format!("prefix {}", quoted(text)),
        Predicate::Suffix(text) => format!("suffix {}", quoted(text)),
        Predicate::EqualsFold(text) => format!("equals-ignore-case {}", quoted(text)),
        Predicate::PrefixFold(text) => format!("prefix ignoring case {}", quoted(text)),
        Predicate::SuffixFold(text) => format!("suffix ignoring case {}", quoted(text)),
        Predicate::Contains(text) => format!("a part {}", quoted(text)),
        Predicate::Wildcard(glob) => {
            let escaped = |part: &str| part.replace('\\', "\\\\").replace('*', "\\*");
            let parts: Vec<String> = glob.parts.iter().map(|part| escaped(part)).collect();
            format!("wildcard {}", quoted(&parts.join("*")))
        }
        Predicate::Range(range) => numeric(range),
        Predicate::Exists => "exists".to_owned(),
        Predicate::AnythingBut(list) => format!("anything-but {}", several(list, ", ")),
        Predicate::Every(list) => several(list, " and "),
        Predicate::Matches(regular) => format!("matches {}", quoted(regular.as_str())),
    }
}

pub(super) fn several(list: &[Predicate], between: &str) -> String {
    let named: Vec<String> = list.iter().take(NAMED_MAX).map(words).collect();
    let more = match list.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("{between}{more} more"),
    };
    format!("{}{more}", named.join(between))
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "null".to_owned(),
        Literal::Bool(flag) => flag.to_string(),
        Literal::Number(number) => number.text(),
        Literal::Text(text) => brief(&text.as_ref().into()),
    }
}

fn numeric(range: &Range) -> String {
    let lower = range.lower.map(|bound| {
        format!(" {} {}", if bound.inclusive { ">=" } else { ">" }, bound.number.text())
    });
    let upper = range.upper.map(|bound| {
        format!(" {} {}", if bound.inclusive { "<=" } else { "<" }, bound.number.text())
    });
    format!("numeric{}{}", lower.unwrap_or_default(), upper.unwrap_or_default())
}
