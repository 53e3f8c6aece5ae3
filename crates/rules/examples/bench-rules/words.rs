//! Words, names and numbers out of a seed.

use fastrand::Rng;

/// Letters about as often as English has them.
const LETTERS: &[u8] = b"eeeeeeeeeeeetttttttttaaaaaaaaooooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrrddddlllluuucccmmmwwffggyyppbbvkxqjz";

/// A pseudo-word.
pub(crate) fn word(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| char::from(LETTERS[rng.usize(..LETTERS.len())])).collect()
}

/// A number below `count`; the first are much more frequent than the last.
pub(crate) fn skewed(rng: &mut Rng, count: usize) -> usize {
    // The inverse of the distribution whose density falls with one over the number.
    let top = (count as f64 + 1.0).ln();
    ((rng.f64() * top).exp() as usize).clamp(1, count) - 1
}

/// A number around `mean` that may be much larger.
pub(crate) fn tail(rng: &mut Rng, mean: f64, most: usize) -> usize {
    ((-(1.0 - rng.f64()).ln() * mean) as usize).min(most)
}

/// A pattern with one field at a dotted path.
pub(crate) fn pattern(path: &str, alternatives: &str) -> String {
    path.rsplit('.')
        .fold(alternatives.to_owned(), |inner, name| format!(r#"{{"{name}": {inner}}}"#))
}
