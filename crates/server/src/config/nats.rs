//! The settings of a bus on NATS. It must stay true that what contradicts itself is refused, and that no refusal shows
//! a secret.

use std::{path::PathBuf, sync::Arc};

use omni_clock::{Clock, Random};
use omni_event_bus::{Credentials, NatsOptions, Tls};

use crate::{Config, Error};

/// Copies of a stream that a server keeps at most.
const REPLICAS_MAX: usize = 5;

impl Config {
    /// Reads the variables of NATS.
    pub(super) fn apply_nats(
        &mut self,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), Error> {
        let path = |name: &str, now: Option<PathBuf>| variable(name).map(PathBuf::from).or(now);
        let hidden = |name: &str, now| variable(name).map(Into::into).or(now);
        let text = |name: &str, now| variable(name).or(now);
        self.nats_url = hidden("OMNI_NATS_URL", self.nats_url.take());
        self.nats_user = text("OMNI_NATS_USER", self.nats_user.take());
        self.nats_password = hidden("OMNI_NATS_PASSWORD", self.nats_password.take());
        self.nats_token = hidden("OMNI_NATS_TOKEN", self.nats_token.take());
        self.nats_nkey = hidden("OMNI_NATS_NKEY", self.nats_nkey.take());
        self.nats_creds = path("OMNI_NATS_CREDS", self.nats_creds.take());
        self.nats_ca = path("OMNI_NATS_CA", self.nats_ca.take());
        self.nats_cert = path("OMNI_NATS_CERT", self.nats_cert.take());
        self.nats_key = path("OMNI_NATS_KEY", self.nats_key.take());
        self.nats_prefix = text("OMNI_NATS_PREFIX", self.nats_prefix.take());
        if variable("OMNI_NATS_REPLICAS").is_some() {
            let mut replicas = 1;
            super::set(variable, "OMNI_NATS_REPLICAS", &mut replicas)?;
            self.nats_replicas = Some(replicas);
        }
        Ok(())
    }

    /// Refuses settings of NATS that contradict each other.
    pub(super) fn check_nats(&self) -> Result<(), Error> {
        let Some(url) = &self.nats_url else {
            return match self.nats_settings().first() {
                Some(name) => refused(
                    name,
                    "there is no OMNI_NATS_URL to use it for; set that, or unset this",
                ),
                None => Ok(()),
            };
        };
        let servers: Vec<&str> = url.expose().split(',').map(str::trim).collect();
        let known = |server: &&str| {
            server
                .strip_prefix("nats://")
                .or(server.strip_prefix("tls://"))
                .is_some_and(|at| !at.is_empty())
        };
        if !servers.iter().all(known) {
            return refused(
                "OMNI_NATS_URL",
                "it must be nats://host:4222 or tls://host:4222, or several of them with commas between",
            );
        }
        if self.nats_user.is_some() != self.nats_password.is_some() {
            return refused(
                "OMNI_NATS_USER",
                "a user and a password belong together; set OMNI_NATS_USER and OMNI_NATS_PASSWORD",
            );
        }
        let ways = [
            ("a user in OMNI_NATS_URL", url.expose().contains('@')),
            ("OMNI_NATS_USER", self.nats_user.is_some()),
            ("OMNI_NATS_TOKEN", self.nats_token.is_some()),
            ("OMNI_NATS_NKEY", self.nats_nkey.is_some()),
            ("OMNI_NATS_CREDS", self.nats_creds.is_some()),
        ];
        let given: Vec<&str> =
            ways.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if given.len() > 1 {
            let reason =
                format!("{} say in different ways who we are; keep one", given.join(" and "));
            return refused(given[1], &reason);
        }
        if self.nats_cert.is_some() != self.nats_key.is_some() {
            return refused(
                "OMNI_NATS_CERT",
                "a certificate and its key belong together; set OMNI_NATS_CERT and OMNI_NATS_KEY",
            );
        }
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self
            .nats_prefix
            .as_ref()
            .is_some_and(|p| p.is_empty() || p.len() > 32 || !p.chars().all(good))
        {
            return refused("OMNI_NATS_PREFIX", "it must be 1 to 32 of A-Z, a-z, 0-9 and `-`");
        }
        if self.nats_replicas.is_some_and(|replicas| replicas == 0 || replicas > REPLICAS_MAX) {
            return refused(
                "OMNI_NATS_REPLICAS",
                "it must be 1 to 5, and no more than there are servers",
            );
        }
        Ok(())
    }

    /// The settings that mean something only with a URL, as far as they are given.
    fn nats_settings(&self) -> Vec<&'static str> {
        let all = [
            ("OMNI_NATS_USER", self.nats_user.is_some()),
            ("OMNI_NATS_PASSWORD", self.nats_password.is_some()),
            ("OMNI_NATS_TOKEN", self.nats_token.is_some()),
            ("OMNI_NATS_NKEY", self.nats_nkey.is_some()),
            ("OMNI_NATS_CREDS", self.nats_creds.is_some()),
            ("OMNI_NATS_CA", self.nats_ca.is_some()),
            ("OMNI_NATS_CERT", self.nats_cert.is_some()),
            ("OMNI_NATS_KEY", self.nats_key.is_some()),
            ("OMNI_NATS_PREFIX", self.nats_prefix.is_some()),
            ("OMNI_NATS_REPLICAS", self.nats_replicas.is_some()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// How the bus on NATS is opened; `None` when the embedded one is wanted.
    pub(crate) fn nats_options(
        &self,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
    ) -> Option<NatsOptions> {
        let url = self.nats_url.as_ref()?.expose();
        let client = self.nats_cert.clone().zip(self.nats_key.clone());
        let tls = Tls {
            required: self.nats_ca.is_some() || client.is_some(),
            ca_file: self.nats_ca.clone(),
            client,
        };
        Some(NatsOptions {
            credentials: self.nats_credentials(),
            tls,
            prefix: self.nats_prefix.clone(),
            replicas: self.nats_replicas.unwrap_or(1),
            clock,
            random,
            ..NatsOptions::new(url)
        })
    }

    fn nats_credentials(&self) -> Credentials {
        if let (Some(user), Some(password)) = (&self.nats_user, &self.nats_password) {
            Credentials::Password { user: user.clone(), password: password.expose().to_owned() }
        } else if let Some(token) = &self.nats_token {
            Credentials::Token(token.expose().to_owned())
        } else if let Some(seed) = &self.nats_nkey {
            Credentials::NKey(seed.expose().to_owned())
        } else if let Some(file) = &self.nats_creds {
            Credentials::File(file.clone())
        } else {
            Credentials::None
        }
    }
}

fn refused(origin: &str, reason: &str) -> Result<(), Error> {
    Err(Error::Config { origin: origin.to_owned(), reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        let mut config = Config::default();
        config.apply_variables(find)?;
        config.check()?;
        Ok(config)
    }

    fn options(variables: &[(&str, &str)]) -> NatsOptions {
        let config = read(variables).unwrap();
        let clock = Arc::new(omni_clock::SystemClock::new());
        config.nats_options(clock, Arc::new(Random::seeded(1))).unwrap()
    }

    const URL: (&str, &str) = ("OMNI_NATS_URL", "nats://a:4222,nats://b:4222");

    #[test]
    fn every_setting_arrives() {
        let found = options(&[
            URL,
            ("OMNI_NATS_USER", "omni"),
            ("OMNI_NATS_PASSWORD", "hunter2"),
            ("OMNI_NATS_CA", "/ca.pem"),
            ("OMNI_NATS_CERT", "/cert.pem"),
            ("OMNI_NATS_KEY", "/key.pem"),
            ("OMNI_NATS_PREFIX", "acme-1"),
            ("OMNI_NATS_REPLICAS", "3"),
        ]);
        let credentials = Credentials::Password { user: "omni".into(), password: "hunter2".into() };
        assert!(found.credentials == credentials);
        assert_eq!(found.url, URL.1);
        assert_eq!((found.prefix.as_deref(), found.replicas), (Some("acme-1"), 3));
        let client = Some(("/cert.pem".into(), "/key.pem".into()));
        assert_eq!(found.tls, Tls { required: true, ca_file: Some("/ca.pem".into()), client });
        for (name, value, wanted) in [
            ("OMNI_NATS_TOKEN", "t", Credentials::Token("t".into())),
            ("OMNI_NATS_NKEY", "SUx", Credentials::NKey("SUx".into())),
            ("OMNI_NATS_CREDS", "/c", Credentials::File("/c".into())),
        ] {
            assert!(options(&[URL, (name, value)]).credentials == wanted, "{name}");
        }
        let plain = options(&[URL]);
        assert_eq!((plain.tls, plain.replicas), (Tls::default(), 1));
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_told_what_to_do() {
        let with_user = ("OMNI_NATS_URL", "nats://me:hunter2@a:4222");
        let (user, password) = (("OMNI_NATS_USER", "u"), ("OMNI_NATS_PASSWORD", "hunter2"));
        let token = ("OMNI_NATS_TOKEN", "hunter2");
        let cases: [(&[(&str, &str)], &str); 9] = [
            (&[token], "OMNI_NATS_TOKEN: there is no OMNI_NATS_URL"),
            (&[("OMNI_NATS_URL", "http://hunter2@a")], "OMNI_NATS_URL: it must be nats://"),
            (&[URL, user], "OMNI_NATS_USER: a user and a password belong together"),
            (&[URL, password], "OMNI_NATS_USER: a user and a password belong together"),
            (&[URL, user, password, token], "OMNI_NATS_USER and OMNI_NATS_TOKEN say"),
            (&[with_user, token], "a user in OMNI_NATS_URL and OMNI_NATS_TOKEN say"),
            (&[URL, ("OMNI_NATS_CERT", "/c")], "OMNI_NATS_CERT: a certificate and its key"),
            (&[URL, ("OMNI_NATS_PREFIX", "a.b")], "OMNI_NATS_PREFIX: it must be 1 to 32"),
            (&[URL, ("OMNI_NATS_REPLICAS", "0")], "OMNI_NATS_REPLICAS: it must be 1 to 5"),
        ];
        for (variables, wanted) in cases {
            let error = read(variables).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_are_printed_without_secrets() {
        let mut variables =
            vec![URL, ("OMNI_MASTER_KEY", "hunter2"), ("OMNI_DATABASE_URL", "hunter2")];
        variables.extend([("OMNI_NATS_USER", "u"), ("OMNI_NATS_PASSWORD", "hunter2")]);
        let printed = format!("{:?}", read(&variables).unwrap());
        assert!(!printed.contains("hunter2") && printed.contains("redacted"), "{printed}");
    }
}
