//! The limit of open files: every connection is one, and so is every table and every call to the outside.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Of the open files that a process may have, the part that connections may be, in quarters. The rest is for the store,
/// the bus and calls to the outside, so that a flood of connections cannot take those away.
const QUARTERS: u64 = 3;

/// Raises the limit of open files to what this process may raise it to: shells set a low one for the sake of programs
/// from before `poll`. Answers how many connections fit; none without a limit.
pub(crate) fn raise_limit() -> Option<usize> {
    let now = getrlimit(Resource::Nofile);
    let mut current = now.current;
    if current != now.maximum {
        let raised = Rlimit { current: now.maximum, maximum: now.maximum };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => current = now.maximum,
            Err(error) => tracing::warn!(%error, "the limit of open files stays low"),
        }
    }
    current.map(room)
}

fn room(files: u64) -> usize {
    usize::try_from(files / 4 * QUARTERS).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(room(1024), 768);
        assert_eq!(room(64), 48);
        assert!(raise_limit().is_none_or(|room| room > 0));
    }
}
