//! Where the servers are and who we are there, from the URL. It must stay true that no credentials are left in what is
//! shown or handed on as an address.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;
use url::Url;

use super::Credentials;

/// What an NKey seed of a user begins with, and its length.
const SEED: (&str, usize) = ("SU", 58);

/// The servers of one cluster, and the login for all of them.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) servers: Vec<ServerAddr>,
    pub(crate) login: Credentials,
    /// The servers, for people.
    pub(crate) shown: String,
}

impl Address {
    /// Reads `nats://user:password@host:4222,tls://other` and the like. What the URL says about the login goes first.
    pub(crate) fn parse(url: &str, given: &Credentials) -> Result<Self, String> {
        let mut servers = Vec::new();
        let mut login = None;
        for part in url.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (server, found) = one(part)?;
            if let Some(found) = found
                && *login.get_or_insert_with(|| found.clone()) != found
            {
                return Err(
                    "the servers have different logins: those of one cluster share one".into()
                );
            }
            servers.push(server);
        }
        if servers.is_empty() {
            return Err("the address is empty: give it as nats://host:4222".into());
        }
        let shown = servers.iter().map(ServerAddr::as_url_str).collect::<Vec<_>>().join(",");
        Ok(Self { servers, login: login.unwrap_or_else(|| given.clone()), shown })
    }
}

/// One server, and the login in its URL.
fn one(part: &str) -> Result<(ServerAddr, Option<Credentials>), String> {
    let full = if part.contains("://") { part.to_owned() } else { format!("nats://{part}") };
    // What the parser says may repeat the text, and with it a password.
    let mut url = Url::parse(&full).map_err(|error| {
        format!("the address is not a URL ({error}): give it as nats://host:4222")
    })?;
    if !matches!(url.scheme(), "nats" | "tls") {
        let scheme = url.scheme();
        return Err(format!("`{scheme}://` is not spoken here: use nats:// or tls://"));
    }
    if url.host_str().unwrap_or_default().is_empty() {
        return Err("the address has no host: give it as nats://host:4222".into());
    }
    let login = login(&url)?;
    let unreadable = |()| "the login in the address cannot be told from the host".to_owned();
    url.set_username("").map_err(unreadable)?;
    url.set_password(None).map_err(unreadable)?;
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    let server = ServerAddr::from_url(url).map_err(|error| error.to_string())?;
    Ok((server, login))
}

fn login(url: &Url) -> Result<Option<Credentials>, String> {
    let decode = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(Into::into).map_err(|_| "the login in the address is not UTF-8".to_owned())
    };
    let user: String = decode(url.username())?;
    Ok(match url.password() {
        Some(password) => Some(Credentials::Password { user, password: decode(password)? }),
        None if user.is_empty() => None,
        None if user.starts_with(SEED.0) && user.len() == SEED.1 => Some(Credentials::NKey(user)),
        None => Some(Credentials::Token(user)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, String> {
        Address::parse(url, &Credentials::Token("given".into()))
    }

    #[test]
    fn addresses_of_every_form_are_read() {
        for (url, shown) in [
            ("nats://a:4222", "nats://a:4222"),
            ("a", "nats://a"),
            ("127.0.0.1:1, [::1]:2", "nats://127.0.0.1:1,nats://[::1]:2"),
            ("tls://a,nats://b:5/path?x=y", "tls://a,nats://b:5"),
        ] {
            let address = parse(url).unwrap();
            assert_eq!(address.shown, shown);
            assert_eq!(address.login, Credentials::Token("given".into()));
        }
    }

    #[test]
    fn the_login_in_the_url_goes_first_and_is_not_shown() {
        let seed = format!("SU{}", "A".repeat(56));
        for (url, login) in [
            (
                "nats://bo%40b:se%2Fcret+@a",
                Credentials::Password { user: "bo@b".into(), password: "se/cret+".into() },
            ),
            ("nats://token@a", Credentials::Token("token".into())),
            (&format!("{seed}@a"), Credentials::NKey(seed.clone())),
            (
                "nats://x:y@a,nats://b,nats://x:y@c",
                Credentials::Password { user: "x".into(), password: "y".into() },
            ),
        ] {
            let address = parse(url).unwrap();
            assert_eq!(address.login, login);
            assert!(!address.shown.contains('@'), "{}", address.shown);
            assert!(!format!("{address:?}").contains("cret"), "{address:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_secrets() {
        for bad in [
            "",
            " , ",
            "http://s3cret@a",
            "nats://",
            "nats://s3cret@",
            "a:s3cret@b:c",
            "nats://s3cret:x@a,t@b",
        ] {
            let reason = parse(bad).unwrap_err();
            assert!(!reason.contains("s3cret"), "{reason}");
        }
    }
}
