//! A PostgreSQL server: who it is, and how a connection to it is made.
//!
//! What must stay true: no error and no log line shows the password.

mod advice;
mod url;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use diesel_async::AsyncPgConnection;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use crate::{
    Error, Result,
    tls::{Connector, Mode},
};

/// Longest wait for one address of a server to answer at all, and for each host of the URL until we are logged in;
/// `connect_timeout` in the URL sets both.
const REACH_MAX: Duration = Duration::from_secs(5);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A server that has vanished without a word is noticed after about half a minute; the system's own way takes hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 4;
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Makes connections to one server, or to the first of several that answers.
pub(crate) struct Server {
    config: Config,
    tls: Connector,
    /// Longest wait until we are logged in.
    patience: Duration,
    /// Whether it was said that the connections are not encrypted.
    warned: AtomicBool,
}

impl Server {
    /// Reads a `postgres://` URL.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let parsed = url::parse(url).map_err(Error::Location)?;
        let mut config = parsed.config;
        config.ssl_mode(parsed.mode.for_driver());
        let negotiation = config.get_ssl_negotiation();
        let tls =
            Connector::new(parsed.mode, &parsed.roots, negotiation).map_err(Error::Location)?;
        if parsed.mode == Mode::Disable {
            tracing::debug!("connections to PostgreSQL are not encrypted, as the URL says");
        }
        if config.get_application_name().is_none() {
            config.application_name("omni");
        }
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1) as u32;
        let patience = config.get_connect_timeout().copied().unwrap_or(CONNECT_MAX) * hosts;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(REACH_MAX);
        }
        if !parsed.has_keepalives {
            config
                .keepalives_idle(KEEPALIVE_IDLE)
                .keepalives_interval(KEEPALIVE_INTERVAL)
                .keepalives_retries(KEEPALIVE_RETRIES);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        }
        Ok(Self { config, tls, patience, warned: AtomicBool::new(false) })
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self) -> Result<AsyncPgConnection> {
        let attempt = self.tls.attempt();
        let encrypted = attempt.encrypted();
        let connecting = async {
            let connected = self.config.connect(attempt).await;
            let reached = connected.as_ref().err().is_none_or(|e| e.as_db_error().is_some());
            if reached && !encrypted.load(Ordering::Acquire) {
                self.warn_of_listeners();
            }
            let (client, connection) =
                connected.map_err(|error| advice::connect_error(self.place(), &error))?;
            AsyncPgConnection::try_from_client_and_connection(client, connection)
                .await
                .map_err(|error| advice::set_up_error(self.place(), &error))
        };
        match tokio::time::timeout(self.patience, connecting).await {
            Ok(done) => done,
            Err(_) => Err(advice::silent(self.place(), self.patience)),
        }
    }

    /// Says once that what `prefer` allows has happened.
    fn warn_of_listeners(&self) {
        let asked = self.config.get_ssl_mode() == SslMode::Prefer;
        if asked && !self.is_local() && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                server = self.place(),
                "PostgreSQL does not offer encryption, so the log-in and all data cross the network in clear; turn TLS \
                 on there and put sslmode=verify-full into the database URL, or sslmode=disable if the network is safe"
            );
        }
    }

    /// Whether every address is of this machine.
    fn is_local(&self) -> bool {
        let addresses = self.config.get_hostaddrs();
        if !addresses.is_empty() {
            return addresses.iter().all(std::net::IpAddr::is_loopback);
        }
        self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => {
                name == "localhost"
                    || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
            Host::Unix(_) => true,
        })
    }

    /// The hosts with their ports, for people.
    fn place(&self) -> String {
        let ports = self.config.get_ports();
        let mut hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        if hosts.is_empty() {
            hosts = self.config.get_hostaddrs().iter().map(ToString::to_string).collect();
        }
        let place = |(at, host): (usize, &String)| {
            let port = ports.get(at).or(ports.first()).unwrap_or(&5432);
            format!("{host}:{port}")
        };
        let places: Vec<String> = hosts.iter().enumerate().map(place).collect();
        format!("PostgreSQL at {}", places.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_needs_no_warning() {
        let is_local = |url: &str| Server::parse(url).unwrap().is_local();
        for url in [
            "postgres://localhost/omni",
            "postgres://127.0.0.2,[::1]/omni",
            "postgres://%2Frun%2Fpostgresql/omni",
            "postgres://db.example.com/omni?hostaddr=127.0.0.1",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in [
            "postgres://db.example.com/omni",
            "postgres://localhost,db.example.com/omni",
            "postgres://localhost/omni?hostaddr=192.0.2.1",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }

    #[test]
    fn a_server_is_named_without_its_password() {
        let place = |url: &str| Server::parse(url).unwrap().place();
        assert_eq!(place("postgres://me:hunter2@db/omni"), "PostgreSQL at db:5432");
        assert_eq!(place("postgres://a:1,b:2/omni"), "PostgreSQL at a:1, b:2");
    }
}
