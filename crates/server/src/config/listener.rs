//! Settings of the listeners: where they listen, what they allow, and which proxies they believe.

use std::time::Duration;

use super::{Config, set};
use crate::{
    Error,
    listener::{Limits, Proxies},
};

/// Longest time that can be set, in seconds: a day. What is longer is a mistake in the unit.
const SECONDS_MAX: u64 = 86_400;

impl Config {
    pub(super) fn apply_listener(
        &mut self,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), Error> {
        set_some(variable, "OMNI_INGEST_LISTEN", &mut self.ingest_listen)?;
        self.trusted_proxies = variable("OMNI_TRUSTED_PROXIES").or(self.trusted_proxies.take());
        set(variable, "OMNI_CONNECTIONS_MAX", &mut self.connections_max)?;
        set(variable, "OMNI_CONNECTIONS_PER_ADDRESS", &mut self.connections_per_address)?;
        set(variable, "OMNI_FIRST_BYTE_SECONDS", &mut self.first_byte_seconds)?;
        set(variable, "OMNI_HEADER_SECONDS", &mut self.header_seconds)?;
        set(variable, "OMNI_IDLE_SECONDS", &mut self.idle_seconds)?;
        set_some(variable, "OMNI_CONNECTION_AGE_SECONDS", &mut self.connection_age_seconds)?;
        set(variable, "OMNI_BODY_MEMORY_MIB", &mut self.body_memory_mib)
    }

    pub(super) fn check_listener(&self) -> Result<(), Error> {
        let wrong =
            |origin: &str, reason: String| Err(Error::Config { origin: origin.to_owned(), reason });
        if self.ingest_listen.is_some_and(|ingest| ingest.port() != 0 && ingest == self.listen) {
            let reason = "it is the address of `listen`; give it another port".to_owned();
            return wrong("OMNI_INGEST_LISTEN", reason);
        }
        for (name, seconds) in [
            ("OMNI_FIRST_BYTE_SECONDS", self.first_byte_seconds),
            ("OMNI_HEADER_SECONDS", self.header_seconds),
            ("OMNI_IDLE_SECONDS", self.idle_seconds),
            ("OMNI_CONNECTION_AGE_SECONDS", self.connection_age_seconds.unwrap_or(1)),
        ] {
            if !(1..=SECONDS_MAX).contains(&seconds) {
                return wrong(name, format!("it must be 1 to {SECONDS_MAX} seconds"));
            }
        }
        for (name, count) in [
            ("OMNI_CONNECTIONS_MAX", self.connections_max),
            ("OMNI_CONNECTIONS_PER_ADDRESS", self.connections_per_address),
            ("OMNI_BODY_MEMORY_MIB", self.body_memory_mib),
        ] {
            if count == 0 {
                return wrong(name, "it must be 1 or more".to_owned());
            }
        }
        self.proxies().map(|_| ())
    }

    /// The proxies that are believed.
    pub(crate) fn proxies(&self) -> Result<Proxies, Error> {
        self.trusted_proxies
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|reason| Error::Config { origin: "OMNI_TRUSTED_PROXIES".to_owned(), reason })
    }

    /// What each listener allows where this process may have so many connections; none when there is no such limit.
    pub(crate) fn limits(&self, room: Option<usize>) -> Limits {
        let listeners = 1 + usize::from(self.ingest_listen.is_some());
        let room = room.map_or(usize::MAX, |room| (room / listeners).max(1));
        if room < self.connections_max {
            tracing::warn!(
                wanted = self.connections_max,
                allowed = room,
                "the limit of open files allows fewer connections than configured; raise it (`ulimit -n`)"
            );
        }
        let seconds = Duration::from_secs;
        Limits {
            connections: self.connections_max.min(room),
            per_address: self.connections_per_address,
            first_byte: seconds(self.first_byte_seconds),
            header: seconds(self.header_seconds),
            idle: seconds(self.idle_seconds),
            age: self.connection_age_seconds.map(seconds),
            body_memory: self.body_memory_mib.saturating_mul(1024 * 1024),
        }
    }
}

fn set_some<T: std::str::FromStr>(
    variable: &impl Fn(&str) -> Option<String>,
    name: &str,
    target: &mut Option<T>,
) -> Result<(), Error>
where
    T::Err: std::fmt::Display,
{
    if let Some(text) = variable(name) {
        *target = Some(text.parse().map_err(|error| Error::Config {
            origin: name.to_owned(),
            reason: format!("`{text}` cannot be read: {error}"),
        })?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let mut config = Config::default();
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        config.apply_listener(&find)?;
        config.check_listener()?;
        Ok(config)
    }

    #[test]
    fn webhooks_may_be_taken_on_an_open_address() {
        let config = with(&[("OMNI_INGEST_LISTEN", "0.0.0.0:8080")]).unwrap();
        config.check().unwrap();
        assert_eq!(config.ingest_listen, Some(([0, 0, 0, 0], 8080).into()));
        let error = with(&[("OMNI_INGEST_LISTEN", "127.0.0.1:7400")]).unwrap_err().to_string();
        assert!(error.contains("another port"), "{error}");
    }

    #[test]
    fn a_wrong_limit_is_named() {
        for (name, wrong) in [
            ("OMNI_INGEST_LISTEN", "here"),
            ("OMNI_TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
            ("OMNI_CONNECTIONS_MAX", "0"),
            ("OMNI_CONNECTIONS_PER_ADDRESS", "-1"),
            ("OMNI_FIRST_BYTE_SECONDS", "0"),
            ("OMNI_HEADER_SECONDS", "5s"),
            ("OMNI_IDLE_SECONDS", "86401"),
            ("OMNI_CONNECTION_AGE_SECONDS", "0"),
            ("OMNI_BODY_MEMORY_MIB", "0"),
        ] {
            let error = with(&[(name, wrong)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
        }
    }

    #[test]
    fn connections_share_the_open_files() {
        let config = with(&[("OMNI_CONNECTIONS_MAX", "1000")]).unwrap();
        assert_eq!(config.limits(None).connections, 1000);
        assert_eq!(config.limits(Some(768)).connections, 768);
        let both = Config { ingest_listen: Some(([0, 0, 0, 0], 8080).into()), ..config };
        assert_eq!(both.limits(Some(768)).connections, 384);
        assert_eq!(both.limits(Some(1)).connections, 1);
    }
}
