//! `numeric` and `cidr`.

use serde_json::Value;

use super::{compile::Compiler, kind};
use crate::predicate::{
    Literal, Predicate,
    address::{self, Network},
    number::{Bound, Number, Range},
};

/// Compiles `numeric`; the pointer is that of its list.
pub(super) fn numeric(
    compiler: &mut Compiler<'_>,
    value: &Value,
    pointer: &str,
) -> Option<Predicate> {
    const TAKES: &str =
        "`numeric` takes a comparison or a range, such as [\">=\", 5] or [\">\", 0, \"<=\", 10]";
    let Some(items) = value.as_array() else {
        return compiler.problems.add(pointer, format!("{TAKES}, not {}", kind(value)));
    };
    if !matches!(items.len(), 2 | 4) {
        return compiler.problems.add(pointer, format!("{TAKES}; this list has {}", items.len()));
    }
    for (index, item) in items.iter().enumerate() {
        let is_right = if index % 2 == 0 { item.is_string() } else { item.is_number() };
        if !is_right {
            let message = format!("{TAKES}; here stands {}", kind(item));
            return compiler.problems.add(&format!("{pointer}/{index}"), message);
        }
    }
    let pairs: Vec<(&str, Number)> = items
        .chunks_exact(2)
        .filter_map(|pair| Some((pair[0].as_str()?, number(&pair[1])?)))
        .collect();
    let compiled = match *pairs {
        [("=", number)] => Ok(Predicate::Equals(Literal::Number(number))),
        [(operator, number)] => single(operator, number).map(Predicate::Range),
        [(lower @ (">" | ">="), low), (upper @ ("<" | "<="), high)] => {
            let range = Range {
                lower: Some(Bound { number: low, inclusive: lower == ">=" }),
                upper: Some(Bound { number: high, inclusive: upper == "<=" }),
            };
            if range.is_empty() {
                Err("no number is in this range: the lower bound comes first and is smaller"
                    .to_owned())
            } else {
                Ok(Predicate::Range(range))
            }
        }
        [("<" | "<=", _), (">" | ">=", _)] => {
            Err("the lower bound comes first: [\">\", 0, \"<\", 10]".to_owned())
        }
        _ => Err(format!(
            "{TAKES}: a range has a lower bound (> or >=), then an upper one (< or <=)"
        )),
    };
    compiled.map_or_else(|message| compiler.problems.add(pointer, message), Some)
}

fn single(operator: &str, number: Number) -> Result<Range, String> {
    let bound = |inclusive| Some(Bound { number, inclusive });
    match operator {
        ">" | ">=" => Ok(Range { lower: bound(operator == ">="), upper: None }),
        "<" | "<=" => Ok(Range { lower: None, upper: bound(operator == "<=") }),
        "!=" => Err("`numeric` has no !=: write {\"anything-but\": number}".to_owned()),
        other => Err(format!("`{other}` is no comparison: they are =, >, >=, <, <=")),
    }
}

/// The value of a number that JSON could be read with.
pub(super) fn number(value: &Value) -> Option<Number> {
    Number::parse(value.as_number()?.to_string().as_bytes())
}

/// Compiles `cidr`.
pub(super) fn network(text: &str) -> Result<Predicate, String> {
    let wrong = || {
        format!(
            "`{text}` is no network: write an address and how many bits count, such as 10.0.0.0/24"
        )
    };
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address = address::parse(address.as_bytes()).ok_or_else(wrong)?;
    if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let bits: u16 = bits.parse().map_err(|_| wrong())?;
    let width = address::width(address);
    if bits == u16::from(width) {
        return Err(format!("`{text}` is one address: write \"{address}\" without `cidr`"));
    }
    let bits = u8::try_from(bits).ok().filter(|bits| *bits < width).ok_or_else(|| {
        let most = width - 1;
        format!("`{text}` has {bits} bits, but {most} are the limit")
    })?;
    Ok(Predicate::Address(Network::new(address, bits)))
}
