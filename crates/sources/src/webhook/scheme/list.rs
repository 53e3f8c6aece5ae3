//! The signatures in a value: one, a list, or pairs.
//!
//! Whatever a sender writes, at most [`MAX`] of them are looked at.

use super::fault::{Fault, Spot};

/// Most signatures in one value: senders that rotate secrets send two or three.
pub(crate) const MAX: usize = 10;

/// How the signatures stand in the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// One, after a prefix.
    One { prefix: String },
    /// Several with a separator; what has another prefix is left out.
    Several { prefix: String, separator: String },
    /// `name=value`; those of this name are signatures.
    Pairs { name: String, separator: String },
}

/// Signatures as they were written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidates<'v> {
    items: [&'v [u8]; MAX],
    count: usize,
}

impl<'v> Candidates<'v> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &'v [u8]> {
        self.items.iter().take(self.count).copied()
    }

    fn push(&mut self, item: &'v [u8], spot: &dyn Fn() -> Spot) -> Result<(), Fault> {
        let place = self.items.get_mut(self.count).ok_or_else(|| Fault::TooMany(spot()))?;
        *place = item;
        self.count += 1;
        Ok(())
    }
}

impl List {
    /// The signatures in a value: at least one.
    pub(super) fn candidates<'v>(
        &self,
        value: &'v [u8],
        spot: &dyn Fn() -> Spot,
    ) -> Result<Candidates<'v>, Fault> {
        let mut found = Candidates::default();
        match self {
            Self::One { prefix } => {
                if let Some(item) = value.strip_prefix(prefix.as_bytes()) {
                    found.push(item, spot)?;
                }
            }
            Self::Several { prefix, separator } => {
                for item in split(value, separator.as_bytes()) {
                    if let Some(item) = item.strip_prefix(prefix.as_bytes()) {
                        found.push(item, spot)?;
                    }
                }
            }
            Self::Pairs { name, separator } => {
                for item in split(value, separator.as_bytes()) {
                    if let Some(item) = member(item, name) {
                        found.push(item, spot)?;
                    }
                }
            }
        }
        if found.count == 0 { Err(Fault::Malformed(spot())) } else { Ok(found) }
    }

    /// The only pair of this name.
    pub(super) fn pair<'v>(&self, value: &'v [u8], name: &str) -> Result<&'v [u8], Fault> {
        let Self::Pairs { separator, .. } = self else {
            return Err(Fault::Missing(Spot::Pair(name.to_owned())));
        };
        let mut found = split(value, separator.as_bytes()).filter_map(|item| member(item, name));
        let first = found.next().ok_or_else(|| Fault::Missing(Spot::Pair(name.to_owned())))?;
        match found.next() {
            Some(_) => Err(Fault::Repeated(Spot::Pair(name.to_owned()))),
            None => Ok(first),
        }
    }
}

fn member<'v>(item: &'v [u8], name: &str) -> Option<&'v [u8]> {
    item.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

/// The members of a list, without the blanks around them.
fn split<'v>(value: &'v [u8], separator: &[u8]) -> impl Iterator<Item = &'v [u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest?;
        let end = value.windows(separator.len().max(1)).position(|window| window == separator);
        let (item, tail) = match end {
            Some(end) => (value.get(..end)?, value.get(end + separator.len()..)),
            None => (value, None),
        };
        rest = tail;
        Some(item.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &List, value: &str) -> Result<Vec<String>, Fault> {
        let text = |item: &[u8]| String::from_utf8(item.to_vec()).unwrap();
        let spot = || Spot::Query("s".into());
        list.candidates(value.as_bytes(), &spot).map(|found| found.iter().map(text).collect())
    }

    #[test]
    fn what_has_another_prefix_is_left_out() {
        let list = List::Several { prefix: "v1,".into(), separator: " ".into() };
        assert_eq!(found(&list, "v1,a v1a,b v2,c  v1,d").unwrap(), ["a", "d"]);
        assert!(matches!(found(&list, "v1a,b"), Err(Fault::Malformed(_))));
        assert!(matches!(found(&list, ""), Err(Fault::Malformed(_))));
        assert_eq!(found(&list, &["v1,x"; 10].join(" ")).unwrap().len(), 10);
        assert!(matches!(found(&list, &["v1,x"; 11].join(" ")), Err(Fault::TooMany(_))));
    }

    #[test]
    fn pairs_are_found_by_name() {
        let list = List::Pairs { name: "v1".into(), separator: ",".into() };
        assert_eq!(found(&list, "t=1,v1=a, v1=b,v0=c,v10=d").unwrap(), ["a", "b"]);
        assert_eq!(list.pair(b"t=1,v1=a", "t"), Ok(&b"1"[..]));
        assert!(matches!(list.pair(b"t=1,t=2", "t"), Err(Fault::Repeated(_))));
        assert!(matches!(list.pair(b"v1=a", "t"), Err(Fault::Missing(_))));
    }
}
