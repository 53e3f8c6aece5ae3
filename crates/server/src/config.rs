//! Settings: defaults, then `omni.toml`, then `OMNI_*` variables, then flags; the later wins.

mod hidden;
mod listener;
mod nats;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

pub use self::hidden::Hidden;
use crate::Error;

/// The file that is read from the working directory when it is there.
const FILE: &str = "omni.toml";
/// Longest time that raw payloads may be kept unless a policy says for ever.
const CAPTURE_DAYS_MAX: u32 = 36_500;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the embedded store and bus, the lock and the generated key are.
    pub data_dir: PathBuf,
    /// The address for webhooks, REST and gRPC.
    pub listen: SocketAddr,
    /// A second address that takes webhooks and nothing else, so that the world may reach it while `listen` stays on
    /// this machine.
    pub ingest_listen: Option<SocketAddr>,
    /// Networks of proxies that are believed when they say for whom they ask, with commas between: `10.0.0.0/8,::1`.
    pub trusted_proxies: Option<String>,
    /// Connections that each address serves at once; fewer where the limit of open files allows fewer.
    pub connections_max: usize,
    /// Connections at once from one IPv4 address or one IPv6 network of 64 bits; trusted proxies may have more.
    pub connections_per_address: usize,
    /// How long a new connection may be silent, in seconds.
    pub first_byte_seconds: u64,
    /// How long the headers of a request may take, in seconds.
    pub header_seconds: u64,
    /// How long a connection is kept open between two requests, in seconds.
    pub idle_seconds: u64,
    /// After how many seconds a connection ends with the answer it is at; never unless set.
    pub connection_age_seconds: Option<u64>,
    /// How many MiB the bodies of all unanswered requests may hold together, on each address.
    pub body_memory_mib: usize,
    /// A PostgreSQL to use instead of the embedded store: `postgres://user:password@host/database?sslmode=verify-full`.
    /// `docs/operations/postgresql.md` says what each `sslmode` demands.
    pub database_url: Option<Hidden>,
    /// NATS servers to use as the bus instead of the embedded one: `nats://host:4222` or `tls://host:4222`, several
    /// servers of one cluster with commas between.
    pub nats_url: Option<Hidden>,
    /// The user on NATS, with `nats_password`.
    pub nats_user: Option<String>,
    /// The password of `nats_user`.
    pub nats_password: Option<Hidden>,
    /// A token for NATS.
    pub nats_token: Option<Hidden>,
    /// The seed of an NKey for NATS, beginning with `SU`.
    pub nats_nkey: Option<Hidden>,
    /// A credentials file for NATS.
    pub nats_creds: Option<PathBuf>,
    /// Certificates of those who vouch for the NATS servers, as PEM, besides the machine's own. Requires encryption.
    pub nats_ca: Option<PathBuf>,
    /// Our certificate for NATS, as PEM, with `nats_key`. Requires encryption.
    pub nats_cert: Option<PathBuf>,
    /// The key of `nats_cert`, as PEM.
    pub nats_key: Option<PathBuf>,
    /// Stands before the names of streams and subjects on NATS, so that several installations share one server.
    pub nats_prefix: Option<String>,
    /// How many NATS servers keep a copy of each stream; 1 unless set.
    pub nats_replicas: Option<usize>,
    /// What is logged: a level or a filter such as `info,omni_sources=debug`.
    pub log: String,
    /// Whether actions may call addresses of this machine. Off, because a rule could then reach what only listens
    /// locally.
    pub egress_allow_loopback: bool,
    /// The key that seals secrets at rest, 32 bytes in hex. If absent, one is generated in the data directory.
    pub master_key: Option<Hidden>,
    /// How long running work may take to end after a stop, in seconds.
    pub drain_seconds: u64,
    /// How many days raw payloads are kept where no capture policy speaks of their type.
    pub capture_retention_days: u32,
    /// How often it is looked for schedules that other replicas have changed, in milliseconds: 50 to 60,000.
    pub schedule_check_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "./omni-data".into(),
            listen: (Ipv4Addr::LOCALHOST, 7400).into(),
            ingest_listen: None,
            trusted_proxies: None,
            connections_max: 10_000,
            connections_per_address: 1_000,
            first_byte_seconds: 5,
            header_seconds: 10,
            idle_seconds: 75,
            connection_age_seconds: None,
            body_memory_mib: 256,
            database_url: None,
            nats_url: None,
            nats_user: None,
            nats_password: None,
            nats_token: None,
            nats_nkey: None,
            nats_creds: None,
            nats_ca: None,
            nats_cert: None,
            nats_key: None,
            nats_prefix: None,
            nats_replicas: None,
            log: "info".to_owned(),
            egress_allow_loopback: false,
            master_key: None,
            drain_seconds: 30,
            capture_retention_days: 14,
            schedule_check_ms: 1_000,
        }
    }
}

/// Settings given as flags; they win over everything.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// Set by `--demo`, whose receiver listens on this machine.
    pub egress_allow_loopback: Option<bool>,
}

impl Config {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// When a file or variable cannot be read or holds a value of the wrong kind; the error names it.
    pub fn load(flags: Overrides) -> Result<Self, Error> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variable = |name: &str| std::env::var(name).ok();
        Self::merge(Path::new(FILE), variable, flags)
    }

    fn merge(
        file: &Path,
        variable: impl Fn(&str) -> Option<String>,
        flags: Overrides,
    ) -> Result<Self, Error> {
        let mut config = Self::from_file(file)?;
        config.apply_variables(variable)?;
        if let Some(data_dir) = flags.data_dir {
            config.data_dir = data_dir;
        }
        if let Some(listen) = flags.listen {
            config.listen = listen;
        }
        if let Some(allow) = flags.egress_allow_loopback {
            config.egress_allow_loopback = allow;
        }
        config.check()?;
        Ok(config)
    }

    fn from_file(file: &Path) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(Error::File { path: file.to_owned(), source }),
        };
        toml::from_str(&text).map_err(|error| Error::Config {
            origin: file.display().to_string(),
            reason: error.to_string(),
        })
    }

    fn apply_variables(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
        set(&variable, "OMNI_DATA_DIR", &mut self.data_dir)?;
        set(&variable, "OMNI_LISTEN", &mut self.listen)?;
        set(&variable, "OMNI_LOG", &mut self.log)?;
        set(&variable, "OMNI_EGRESS_ALLOW_LOOPBACK", &mut self.egress_allow_loopback)?;
        set(&variable, "OMNI_DRAIN_SECONDS", &mut self.drain_seconds)?;
        set(&variable, "OMNI_CAPTURE_RETENTION_DAYS", &mut self.capture_retention_days)?;
        set(&variable, "OMNI_SCHEDULE_CHECK_MS", &mut self.schedule_check_ms)?;
        let hidden = |name: &str, now: Option<Hidden>| variable(name).map(Into::into).or(now);
        self.database_url = hidden("OMNI_DATABASE_URL", self.database_url.take());
        self.master_key = hidden("OMNI_MASTER_KEY", self.master_key.take());
        self.apply_listener(&variable)?;
        self.apply_nats(&variable)
    }

    fn check(&self) -> Result<(), Error> {
        if !self.listen.ip().is_loopback() {
            return Err(Error::Config {
                origin: format!("listen {}", self.listen),
                reason: "there is no authentication yet, so only loopback addresses are served; \
                         use 127.0.0.1 and a proxy that authenticates, or `ingest_listen` for webhooks alone"
                    .to_owned(),
            });
        }
        if !(1..=CAPTURE_DAYS_MAX).contains(&self.capture_retention_days) {
            return Err(Error::Config {
                origin: "OMNI_CAPTURE_RETENTION_DAYS".to_owned(),
                reason: format!(
                    "it must be 1 to {CAPTURE_DAYS_MAX}; to keep some types for ever or to capture nothing of them, set \
                     a capture policy"
                ),
            });
        }
        self.check_listener()?;
        if !(50..=60_000).contains(&self.schedule_check_ms) {
            return Err(Error::Config {
                origin: "OMNI_SCHEDULE_CHECK_MS".to_owned(),
                reason: "it must be 50 to 60000".to_owned(),
            });
        }
        self.check_nats()
    }

    /// How long running work may take to end after a stop.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

fn set<T: std::str::FromStr>(
    variable: &impl Fn(&str) -> Option<String>,
    name: &str,
    target: &mut T,
) -> Result<(), Error>
where
    T::Err: std::fmt::Display,
{
    if let Some(text) = variable(name) {
        *target = text.parse().map_err(|error| Error::Config {
            origin: name.to_owned(),
            reason: format!("`{text}` cannot be read: {error}"),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(file: &str, variables: &[(&str, &str)], flags: Overrides) -> Result<Config, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("omni.toml");
        std::fs::write(&path, file).unwrap();
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        Config::merge(&path, find, flags)
    }

    #[test]
    fn the_later_wins() {
        let file = "listen = \"127.0.0.1:1\"\nlog = \"debug\"\ndrain_seconds = 5\n";
        let variables = [("OMNI_LISTEN", "127.0.0.1:2"), ("OMNI_DRAIN_SECONDS", "6")];
        let listen = Some("127.0.0.1:3".parse().unwrap());
        let config = merge(file, &variables, Overrides { listen, ..Overrides::default() }).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.drain_seconds, 6);
        assert_eq!(config.log, "debug");
        assert_eq!(config.data_dir, Path::new("./omni-data"));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let error = merge("", &[("OMNI_LISTEN", "here")], Overrides::default()).unwrap_err();
        assert!(error.to_string().starts_with("OMNI_LISTEN: `here` cannot be read"), "{error}");
        let error = merge("colour = 1", &[], Overrides::default()).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn raw_payloads_are_kept_for_some_days() {
        let days = |text: &'static str| {
            merge("", &[("OMNI_CAPTURE_RETENTION_DAYS", text)], Overrides::default())
        };
        assert_eq!(days("3").unwrap().capture_retention_days, 3);
        for wrong in ["0", "36501", "-1", "for ever"] {
            let error = days(wrong).unwrap_err().to_string();
            assert!(error.starts_with("OMNI_CAPTURE_RETENTION_DAYS: "), "{error}");
        }
    }

    #[test]
    fn schedules_are_looked_at_within_bounds() {
        let every = |text: &'static str| {
            merge("", &[("OMNI_SCHEDULE_CHECK_MS", text)], Overrides::default())
        };
        assert_eq!(every("250").unwrap().schedule_check_ms, 250);
        for wrong in ["0", "49", "60001", "1s"] {
            let error = every(wrong).unwrap_err().to_string();
            assert!(error.starts_with("OMNI_SCHEDULE_CHECK_MS: "), "{error}");
        }
    }

    #[test]
    fn an_open_address_is_refused_without_authentication() {
        let error = merge("listen = \"0.0.0.0:7400\"", &[], Overrides::default()).unwrap_err();
        assert!(error.to_string().contains("authentication"), "{error}");
    }
}
