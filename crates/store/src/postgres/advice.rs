//! Why a connection was not made, and what to do about it.

use std::{error::Error as StdError, io, time::Duration};

use rustls::CertificateError as Certificate;
use tokio_postgres::error::SqlState;

use crate::Error;

const RUNNING: &str = "check that the database is running and reachable";
const LOG_IN: &str = "check the user, the password and the database in the URL";
const FULL: &str = "raise max_connections of the server, or let fewer programs use it";
const STARTING: &str = "wait until the database has started";
const NO_TLS: &str =
    "turn TLS on at the server (ssl = on), or use sslmode=disable if the network between is safe";
const UNKNOWN: &str = "nobody who is trusted vouches for the server: name the certificate of its authority, or its own, \
                       by sslrootcert=PATH in the URL";
const OTHER_NAME: &str = "connect by the name that the certificate is for, or use sslmode=verify-ca with sslrootcert=PATH";
const DATES: &str = "renew the certificate of the server, or set the clock of this machine";
const BROKEN: &str = "give the server a certificate that rustls accepts: X.509 version 3 with the host as subject \
                      alternative name, on a key of its own";

/// What the driver could not do.
pub(super) fn connect_error(place: String, error: &tokio_postgres::Error) -> Error {
    let advice = if let Some(code) = error.code() {
        after_refusal(code)
    } else if let Some(reason) = certificate_error(error) {
        after_certificate(reason)
    } else if error.to_string().contains("TLS")
        && chain(error).contains("server does not support TLS")
    {
        NO_TLS
    } else {
        RUNNING
    };
    Error::Connect { place, reason: chain(error), advice }
}

/// A connection that was made and then failed.
pub(super) fn set_up_error(place: String, error: &diesel::ConnectionError) -> Error {
    Error::Connect { place, reason: chain(error), advice: RUNNING }
}

/// Something listens there and says nothing.
pub(super) fn silent(place: String, patience: Duration) -> Error {
    let reason =
        format!("it took the connection and did not let us in for {} s", patience.as_secs());
    Error::Connect { place, reason, advice: RUNNING }
}

fn after_refusal(code: &SqlState) -> &'static str {
    match *code {
        SqlState::INVALID_PASSWORD
        | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | SqlState::INVALID_CATALOG_NAME => LOG_IN,
        SqlState::TOO_MANY_CONNECTIONS => FULL,
        SqlState::CANNOT_CONNECT_NOW => STARTING,
        _ => RUNNING,
    }
}

fn after_certificate(reason: &Certificate) -> &'static str {
    match reason {
        // Two authorities of one name are told apart by what they have signed.
        Certificate::UnknownIssuer | Certificate::BadSignature => UNKNOWN,
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => OTHER_NAME,
        Certificate::Expired
        | Certificate::ExpiredContext { .. }
        | Certificate::NotValidYet
        | Certificate::NotValidYetContext { .. } => DATES,
        _ => BROKEN,
    }
}

/// What rustls has against the certificate; it is hidden in an input/output error.
fn certificate_error(error: &tokio_postgres::Error) -> Option<&Certificate> {
    let found = error.source()?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()?;
    match found {
        rustls::Error::InvalidCertificate(reason) => Some(reason),
        _ => None,
    }
}

/// An error with its causes: drivers hide the useful part behind "error connecting to server".
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
