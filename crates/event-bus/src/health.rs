//! Whether what carries the messages can be reached.

/// The state of the connection below the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Messages come and go.
    #[default]
    Up,
    /// The connection is lost and is being made again. Publishing fails at once, consumers wait.
    Reconnecting {
        /// Tries so far.
        attempts: u32,
    },
    /// As [`Health::Reconnecting`], for so long that somebody should look. It goes on trying.
    Degraded {
        /// Tries so far.
        attempts: u32,
    },
}

impl Health {
    /// Tries after which somebody should look.
    pub const ATTEMPTS_MAX: u32 = 10;

    /// The state after so many failed tries in a row.
    pub fn after(attempts: u32) -> Self {
        match attempts {
            0 => Self::Up,
            attempts if attempts < Self::ATTEMPTS_MAX => Self::Reconnecting { attempts },
            attempts => Self::Degraded { attempts },
        }
    }
}
