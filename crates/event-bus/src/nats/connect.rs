//! How a connection to the servers is made and kept. It must stay true that the first one fails clearly, and that a lost
//! one is made again for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use omni_clock::Random;

use super::{
    Credentials, NatsOptions,
    address::Address,
    errors,
    health::{Line, Monitor},
};
use crate::Error;

/// Messages that may wait in one subscription. A consumer asks for fewer, or messages would be lost to redelivery.
const SUBSCRIPTION_CAPACITY: usize = 64 * 1024;
/// Longest wait for one server to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent server is asked whether it is there; after two questions without an answer it is not.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Wait before the second try; doubled with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
/// Longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Everything that is needed to connect, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) servers: Vec<ServerAddr>,
    pub(crate) options: ConnectOptions,
    pub(crate) login: Credentials,
    /// The servers, for people.
    pub(crate) shown: String,
    pub(crate) random: Arc<Random>,
}

impl Recipe {
    /// Reads the settings, and the files that they name.
    pub(crate) async fn new(settings: &NatsOptions) -> Result<Self, Error> {
        // The URL as given may hold a password.
        let refused = |reason| Error::Connect { url: "the given address".into(), reason };
        let address = Address::parse(&settings.url, &settings.credentials).map_err(refused)?;
        let Address { servers, login, shown } = address;
        let refused = |reason| Error::Connect { url: shown.clone(), reason };
        let mut options = log_in(&login).await.map_err(refused)?;
        options = options
            .name("omni")
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .require_tls(settings.tls.required);
        let tls = &settings.tls;
        let files = tls.ca_file.iter().chain(tls.client.iter().flat_map(|(a, b)| [a, b]));
        for file in files {
            if let Err(error) = tokio::fs::metadata(file).await {
                return Err(refused(format!("{} cannot be read: {error}", file.display())));
            }
        }
        if let Some(file) = &tls.ca_file {
            options = options.add_root_certificates(file.clone());
        }
        if let Some((certificate, key)) = &tls.client {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(Self { servers, options, login, shown, random: Arc::clone(&settings.random) })
    }

    /// Connects once; a connection that is lost later is made again for ever, as the monitor sees.
    pub(crate) async fn connect(&self, monitor: &Monitor) -> Result<Client, Error> {
        // Until it is there for the first time, tries are ours to report.
        let there = Arc::new(AtomicBool::new(false));
        let delays = {
            let (there, monitor, recipe) = (Arc::clone(&there), monitor.clone(), self.clone());
            move |attempt: usize| {
                let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
                if there.load(Ordering::Acquire) {
                    monitor.failed(Line::Main, attempt.saturating_sub(1));
                }
                recipe.backoff(attempt)
            }
        };
        let events = {
            let monitor = monitor.clone();
            move |event| {
                match event {
                    Event::Connected => monitor.connected(Line::Main),
                    Event::Disconnected => monitor.failed(Line::Main, 0),
                    event => tracing::debug!(%event, "NATS"),
                }
                std::future::ready(())
            }
        };
        let options = self.options.clone().reconnect_delay_callback(delays).event_callback(events);
        let client = options
            .connect(self.servers.as_slice())
            .await
            .map_err(|error| errors::connect(&self.shown, &self.login, &error))?;
        there.store(true, Ordering::Release);
        Ok(client)
    }

    /// How long to wait before a try, the first one being 1.
    pub(crate) fn backoff(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(2);
        let full = BACKOFF_MIN.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
        // Half of it is left to chance, so that many clients do not come back at once.
        match attempt {
            0 | 1 => Duration::ZERO,
            _ => full.min(BACKOFF_MAX).mul_f64(0.5 + self.random.fraction() / 2.0),
        }
    }
}

async fn log_in(login: &Credentials) -> Result<ConnectOptions, String> {
    let options = ConnectOptions::new();
    Ok(match login {
        Credentials::None => options,
        Credentials::Password { user, password } => {
            options.user_and_password(user.clone(), password.clone())
        }
        Credentials::Token(token) => options.token(token.clone()),
        Credentials::NKey(seed) => options.nkey(seed.clone()),
        Credentials::File(path) => {
            let shown = path.display();
            let text = tokio::fs::read_to_string(path)
                .await
                .map_err(|error| format!("the credentials file {shown} cannot be read: {error}"))?;
            options.credentials(&text).map_err(|error| {
                format!("{shown} is not a credentials file as `nsc` writes it: {error}")
            })?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tries_come_fast_at_first_and_never_further_apart_than_the_longest_wait() {
        let recipe = Recipe::new(&NatsOptions::new("nats://localhost")).await.unwrap();
        assert_eq!(recipe.backoff(1), Duration::ZERO);
        for attempt in 2..100 {
            let full = BACKOFF_MIN.saturating_mul(1 << (attempt - 2).min(20)).min(BACKOFF_MAX);
            let wait = recipe.backoff(attempt);
            assert!(wait >= full / 2 && wait <= full, "{attempt}: {wait:?} of {full:?}");
        }
        assert!(recipe.backoff(u32::MAX) <= BACKOFF_MAX);
    }
}
