//! The URL of a server. The driver reads it, except for what says how the connection is protected: of that it knows only
//! a part.

use std::str::FromStr as _;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;

use super::advice::chain;
use crate::tls::{Mode, Roots};

/// A URL, read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) config: Config,
    pub(super) mode: Mode,
    pub(super) roots: Roots,
    /// Whether it says how a lost server is noticed.
    pub(super) has_keepalives: bool,
}

/// Reads a URL.
///
/// # Errors
/// Says what is wrong with it, without the password.
pub(super) fn parse(url: &str) -> Result<Parsed, String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("it must be postgres://user:password@host:port/database".into());
    }
    // As the driver sees it: what stands before an @ may hold a question mark.
    let host = url.find('@').unwrap_or(0);
    let query = url[host..].find('?').map_or(url.len(), |at| host + at);
    let (base, options) = (&url[..query], url[query..].trim_start_matches('?'));
    let (mut mode, mut roots, mut has_keepalives) = (None, None, false);
    let mut kept = Vec::new();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "sslmode" => mode = Some(read_mode(&decoded(value)?)?),
            "sslrootcert" => roots = Some(read_roots(decoded(value)?)?),
            _ => {
                has_keepalives |= name.starts_with("keepalives");
                kept.push(option);
            }
        }
    }
    let (mode, roots) = agree(mode, roots)?;
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let config = Config::from_str(&rest).map_err(|error| chain(&error))?;
    Ok(Parsed { config, mode, roots, has_keepalives })
}

fn decoded(value: &str) -> Result<String, String> {
    let text = percent_decode_str(value).decode_utf8();
    text.map(Into::into).map_err(|_| format!("`{value}` is not UTF-8"))
}

fn read_mode(name: &str) -> Result<Mode, String> {
    Mode::parse(name).ok_or_else(|| {
        format!(
            "there is no sslmode={name}; use disable, prefer, require, verify-ca or verify-full"
        )
    })
}

fn read_roots(value: String) -> Result<Roots, String> {
    match value.as_str() {
        "" => Err("sslrootcert names no file; give a path to PEM certificates, or `system`".into()),
        "system" => Ok(Roots::Public),
        _ => Ok(Roots::File(value.into())),
    }
}

/// Refuses what would look safer than it is.
fn agree(mode: Option<Mode>, roots: Option<Roots>) -> Result<(Mode, Roots), String> {
    match (mode, roots) {
        (Some(Mode::VerifyCa), None | Some(Roots::Public)) => Err(
            "sslmode=verify-ca with the public authorities would believe anybody who owns a domain; use \
             sslmode=verify-full, or name your own authority by sslrootcert=PATH"
                .into(),
        ),
        (Some(Mode::Disable | Mode::Prefer), Some(_)) => Err(
            "sslrootcert is for a server that has to prove who it is, and this sslmode does not ask it to; use \
             sslmode=verify-full"
                .into(),
        ),
        (None, None) => Ok((Mode::Prefer, Roots::Public)),
        (mode, roots) => {
            Ok((mode.unwrap_or(Mode::VerifyFull), roots.unwrap_or(Roots::Public)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(options: &str) -> Result<(Mode, Roots), String> {
        parse(&format!("postgres://omni:hunter2@db/omni{options}")).map(|p| (p.mode, p.roots))
    }

    #[test]
    fn every_mode_is_read() {
        let file = || Roots::File("/etc/my ca.pem".into());
        for (options, wanted) in [
            ("", (Mode::Prefer, Roots::Public)),
            ("?", (Mode::Prefer, Roots::Public)),
            ("?sslmode=disable", (Mode::Disable, Roots::Public)),
            ("?sslmode=prefer", (Mode::Prefer, Roots::Public)),
            ("?sslmode=require", (Mode::Require, Roots::Public)),
            ("?sslmode=verify%2Dfull&sslrootcert=system", (Mode::VerifyFull, Roots::Public)),
            ("?sslrootcert=/etc/my%20ca.pem", (Mode::VerifyFull, file())),
            ("?sslrootcert=/etc/my%20ca.pem&sslmode=verify-ca", (Mode::VerifyCa, file())),
        ] {
            assert_eq!(protection(options).unwrap(), wanted, "{options}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for (options, wanted) in [
            ("?sslmode=allow", "there is no sslmode=allow; use disable, prefer"),
            ("?sslmode=verify-ca", "use sslmode=verify-full, or name your own authority"),
            ("?sslmode=verify-ca&sslrootcert=system", "name your own authority"),
            ("?sslmode=prefer&sslrootcert=/ca.pem", "use sslmode=verify-full"),
            ("?sslmode=require&sslrootcert=", "sslrootcert names no file"),
            ("?sslmode=%ff", "not UTF-8"),
            ("?colour=red", "colour"),
        ] {
            let error = protection(options).unwrap_err();
            assert!(error.contains(wanted) && !error.contains("hunter2"), "{options}: {error}");
        }
        assert!(parse("mysql://db").unwrap_err().starts_with("it must be postgres://"));
    }

    #[test]
    fn the_driver_reads_the_rest() {
        let url = "postgresql://me:a?b=c@[::1]:5433,db2/omni?connect_timeout=3&sslmode=disable&options=-csearch_path%3Dx";
        let parsed = parse(url).unwrap();
        let config = parsed.config;
        assert_eq!(config.get_password(), Some(b"a?b=c".as_slice()));
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, [5433, 5432].as_slice()));
        assert_eq!(config.get_options(), Some("-csearch_path=x"));
        assert_eq!(config.get_connect_timeout().map(std::time::Duration::as_secs), Some(3));
        assert!(
            !parsed.has_keepalives && parse("postgres://db?keepalives=0").unwrap().has_keepalives
        );
    }
}
