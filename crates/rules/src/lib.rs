#![doc = include_str!("../README.md")]

mod condition;
mod conditions;
mod exact;
mod field;
mod fuel;
mod index;
mod jsonpath;
mod pattern;
mod reads;
mod regular;
mod test;

pub use condition::{Condition, Operator, Problem};
pub use conditions::{CONDITIONS_MAX, Conditions, Leaf};
pub use field::{FIELD_LENGTH_MAX, FIELD_NESTING_MAX};
pub use index::{Refused, Rule, RuleIndex};
pub use reads::{Step, reads};
pub use regular::{REGEX_LENGTH_MAX, REGEXES_LENGTH_MAX};
