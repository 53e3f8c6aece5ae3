//! Words as people use them: few very often, many rarely. A text of one repeated letter would flatter compression.

use fastrand::Rng;

/// Parts of words, joined by chance.
const SYLLABLES: [&str; 48] = [
    "a", "an", "ba", "be", "ca", "cho", "co", "da", "de", "di", "do", "el", "en", "er", "fa", "fi",
    "ga", "go", "ha", "i", "in", "ja", "ka", "la", "le", "li", "lo", "ma", "me", "mi", "mo", "na",
    "ne", "no", "o", "pa", "pe", "ra", "re", "ri", "ro", "sa", "se", "ta", "te", "to", "ver", "za",
];

/// As many as somebody knows of a language.
const COUNT: usize = 20_000;

/// A language.
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let word = |rank: usize, rng: &mut Rng| -> String {
            // What is used often is short.
            let syllables = 1 + rank.ilog10() as usize / 2 + rng.usize(0..2);
            (0..=syllables).map(|_| SYLLABLES[rng.usize(..SYLLABLES.len())]).collect()
        };
        Self((1..=COUNT).map(|rank| word(rank, rng)).collect())
    }

    pub(crate) fn pick(&self, rng: &mut Rng) -> &str {
        &self.0[zipf(rng, COUNT as u64) as usize]
    }

    /// So many words.
    pub(crate) fn text(&self, rng: &mut Rng, words: usize) -> String {
        let mut text = self.pick(rng).to_owned();
        for _ in 1..words {
            text.push(' ');
            text.push_str(self.pick(rng));
        }
        text
    }

    /// A text of exactly so many bytes.
    pub(crate) fn fill(&self, rng: &mut Rng, size: usize) -> String {
        let mut text = String::with_capacity(size + 16);
        while text.len() < size {
            text.push_str(self.pick(rng));
            text.push(' ');
        }
        text.truncate(size);
        text
    }
}

/// A rank below `count`, each the less often the higher it is (Zipf's law with exponent 1).
pub(crate) fn zipf(rng: &mut Rng, count: u64) -> u64 {
    let rank = (count as f64 + 1.0).powf(rng.f64()) as u64;
    rank.clamp(1, count) - 1
}
