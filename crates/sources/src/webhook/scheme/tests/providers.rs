//! The verifier against the golden vectors of every provider, which `testdata/make_providers.py` makes.

use std::{collections::BTreeMap, fs, path::PathBuf};

use base64::Engine;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use omni_crypto::Secret;
use serde::Deserialize;

use super::super::{Fault, Proof, RequestView, Scheme, key::BASE64};
use crate::{
    provider::{self, Template},
    secrets::{Held, Secrets},
};

/// One file of `testdata/providers`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: String,
    #[serde(default)]
    certificates: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    name: String,
    /// `ok`, or the code of the fault.
    expect: String,
    /// Where the provider shows this example itself.
    published: Option<String>,
    now: DateTime<Utc>,
    secrets: Vec<OneSecret>,
    second: Option<String>,
    certificate: Option<String>,
    method: String,
    url: String,
    headers: BTreeMap<String, Values>,
    #[serde(default)]
    body: String,
    body_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OneSecret {
    id: Option<String>,
    secret: String,
    not_before: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
}

/// A value, several headers of one name, or what would be too long to write down.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Values {
    One(String),
    Several(Vec<String>),
    Long { before: String, repeat: String, times: usize },
    Again { again: String, times: usize },
}

impl Values {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value.clone()],
            Self::Several(values) => values.clone(),
            Self::Long { before, repeat, times } => vec![before.clone() + &repeat.repeat(*times)],
            Self::Again { again, times } => vec![again.clone(); *times],
        }
    }
}

fn files() -> Vec<File> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/providers");
    let entries = fs::read_dir(folder).unwrap();
    let read = |path: PathBuf| {
        let file: File = serde_json::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(path.file_stem().unwrap().to_str(), Some(&*file.provider));
        file
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

fn scheme(template: &Template) -> Scheme {
    Scheme::new(&template.verifier, "/provider").unwrap()
}

impl Case {
    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::one(None);
        secrets.second = self.second.clone().map(Secret::from);
        for (index, one) in self.secrets.iter().enumerate() {
            let id = one.id.clone().unwrap_or_else(|| index.to_string());
            let mut held = Held::new(id, Secret::from(one.secret.clone()), None);
            held.not_before = one.not_before;
            held.not_after = one.not_after;
            secrets.held.push(held);
        }
        secrets
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            for value in values.list() {
                headers.append(&name, HeaderValue::from_str(&value).unwrap());
            }
        }
        headers
    }

    fn verify(
        &self,
        scheme: &Scheme,
        certificates: &BTreeMap<String, String>,
    ) -> Result<Proof, Fault> {
        let (headers, method) =
            (self.headers(), Method::from_bytes(self.method.as_bytes()).unwrap());
        let body = match &self.body_base64 {
            Some(text) => BASE64.decode(text).unwrap(),
            None => self.body.clone().into_bytes(),
        };
        let path = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        let uri: Uri = format!("/{path}").parse().unwrap();
        let request = RequestView {
            method: &method,
            uri: &uri,
            url: &self.url,
            headers: &headers,
            body: &body,
        };
        if let Some(Err(fault)) = scheme.certificate_url(request) {
            return Err(fault);
        }
        let certificate = self.certificate.as_ref().map(|name| certificates[name].as_bytes());
        scheme.verify_with(request, &self.secrets(), self.now, certificate)
    }
}

#[test]
fn every_golden_vector_is_decided_as_it_says() {
    let mut wrong = Vec::new();
    for file in files() {
        let template = provider::find(&file.provider).unwrap();
        let scheme = scheme(template);
        for case in &file.cases {
            let verified = case.verify(&scheme, &file.certificates);
            let found = verified.as_ref().map_or_else(Fault::code, |_| "ok");
            if found != case.expect {
                wrong.push(format!(
                    "{}, {}: {} and not {found}",
                    file.provider, case.name, case.expect
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_secret_that_fits_is_named() {
    for file in files() {
        let scheme = scheme(provider::find(&file.provider).unwrap());
        for case in file.cases.iter().filter(|case| case.name.starts_with("the old secret inside"))
        {
            let proof = case.verify(&scheme, &file.certificates).unwrap();
            assert_eq!(proof.secret.as_deref(), Some("old"), "{}", file.provider);
        }
    }
}

#[test]
fn every_template_has_vectors_and_every_file_a_template() {
    let files = files();
    let mut names: Vec<&str> = files.iter().map(|file| file.provider.as_str()).collect();
    names.sort_unstable();
    let templates = provider::all().iter().map(|template| template.name.as_str());
    let templates: Vec<&str> = templates.filter(|name| *name != "generic").collect();
    assert_eq!(names, templates);
    for file in &files {
        let refused = file.cases.iter().filter(|case| case.expect != "ok").count();
        assert!(file.cases.iter().any(|case| case.expect == "ok"), "{}", file.provider);
        assert!(refused >= 8, "{}: only {refused} are refused", file.provider);
        for word in ["altered", "wrong", "missing", "truncated", "10,000"] {
            let has = file.cases.iter().any(|case| case.name.contains(word));
            assert!(has, "{} has no case `{word}`", file.provider);
        }
    }
    let published =
        files.iter().flat_map(|file| &file.cases).filter(|case| case.published.is_some());
    assert!(published.count() >= 8);
}

#[test]
fn templates_say_what_a_user_needs() {
    for template in provider::all().iter().filter(|template| template.name != "generic") {
        let name = &template.name;
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(name.bytes().all(letters), "{name}");
        assert!(template.docs.as_ref().is_some_and(|docs| docs.starts_with("https://")), "{name}");
        assert_eq!(template.secret.is_some(), template.verifier.needs_secret(), "{name}");
        if template.verifier.needs_second_secret() {
            assert!(template.second_secret.is_some(), "{name}");
        }
    }
}

#[test]
fn a_secret_that_cannot_be_a_key_is_told_when_it_is_saved() {
    for (name, good, bad) in [
        ("svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***"),
        ("svix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"),
        ("discord", &"a1".repeat(32), "a public key"),
        ("discord", &"a1".repeat(32), &"a1".repeat(31)),
        ("telegram", "x", ""),
    ] {
        let scheme = scheme(provider::find(name).unwrap());
        let check = |text: &str| scheme.check_secret(&Secret::from(text.to_owned()));
        check(good).unwrap();
        assert_eq!(check(bad).unwrap_err().pointer, "/secret", "{name} {bad}");
    }
    let sendgrid = files().into_iter().find(|file| file.provider == "sendgrid").unwrap();
    let scheme = scheme(provider::find("sendgrid").unwrap());
    let key = Secret::from(sendgrid.cases[0].secrets[0].secret.clone());
    scheme.check_secret(&key).unwrap();
    let rsa = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA";
    scheme.check_secret(&Secret::from(rsa.to_owned())).unwrap_err();
}
