//! How many rows go into one INSERT.
//!
//! What must stay true: a table meets few different texts, so that each stays prepared. So a batch is cut into chunks
//! whose sizes are powers of two.

use crate::Kind;

/// PostgreSQL pays per statement, so many rows share one.
const POSTGRES_ROWS: usize = 64;
/// SQLite pays per row; more rows per statement save a twentieth at most, and make the text longer to look up.
const SQLITE_ROWS: usize = 8;

/// Cuts rows into chunks of the largest size that is quick on this database, and a tail of smaller ones.
pub(crate) fn chunks<T>(kind: Kind, rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut size = match kind {
        Kind::Postgres => POSTGRES_ROWS,
        Kind::Sqlite => SQLITE_ROWS,
    };
    let mut rest = rows;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        while size > rest.len() {
            size /= 2;
        }
        let (chunk, tail) = rest.split_at(size);
        rest = tail;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_powers_of_two_and_lose_nothing() {
        for len in 0..300 {
            let rows: Vec<usize> = (0..len).collect();
            for kind in [Kind::Postgres, Kind::Sqlite] {
                let cut: Vec<&[usize]> = chunks(kind, &rows).collect();
                assert!(cut.iter().all(|chunk| chunk.len().is_power_of_two()));
                assert_eq!(cut.concat(), rows);
            }
        }
    }
}
