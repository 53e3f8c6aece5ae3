//! What is good for itself and does not go together: a definition that would prove nothing, or could never fit.

use omni_crypto::SignatureAlgorithm;

use super::{
    compile::Problems,
    message::Part,
    place::Place,
    signed::{How, Signed, StampPlace},
};

impl Problems {
    /// What is good for itself and does not go together.
    pub(super) fn contradictions(&mut self, signed: &Signed) {
        let has = |part: &Part| signed.parts.contains(part);
        let proves = |part: &Part| !matches!(part, Part::Text(_) | Part::SecondSecret);
        let body = has(&Part::Body) || has(&Part::BodyCrc32);
        if !signed.parts.is_empty() && !signed.parts.iter().any(proves) {
            self.add(
                "/signature/signed",
                "nothing of the request is signed; name `body`, for example",
            );
        }
        if has(&Part::Timestamp) && signed.timestamp.is_none() {
            self.add("/signature/timestamp", "a timestamp is signed; say where it stands");
        }
        if let Some(stamp) = &signed.timestamp
            && !has(&Part::Timestamp)
            && !covers(&signed.parts, &stamp.from)
        {
            let text = "this time is not signed, so it proves nothing; add `timestamp` to `signed`, or leave it out";
            self.add("/signature/timestamp", text);
        }
        match &signed.place {
            Place::Field(_) if body => self.add(
                "/signature/from",
                "a signature cannot stand in the body that it signs; name the signed fields instead",
            ),
            Place::Query(_) if has(&Part::Url) => {
                self.add("/signature/from", "a signature cannot stand in the URL that it signs");
            }
            place if has(&Part::Value(place.clone())) => {
                self.add("/signature/signed", "a signature cannot sign itself");
            }
            _ => {}
        }
        if has(&Part::FormFields) && !has(&Part::Url) {
            let text =
                "`formFields` needs `url` beside it, which holds the hash of every other body";
            self.add("/signature/signed", text);
        }
        if has(&Part::SnsFields) && !is_sns(signed) {
            let text = "`snsFields` is signed alone, with rsaSha1 or rsaSha256 and a certificate";
            self.add("/signature/signed", text);
        }
    }
}

fn is_sns(signed: &Signed) -> bool {
    let rsa = [SignatureAlgorithm::RsaSha1, SignatureAlgorithm::RsaSha256];
    let certified = matches!(&signed.how, How::Certificate(how, _) if rsa.contains(how));
    signed.parts.len() == 1 && certified
}

/// Whether what stands there is signed without being named as the timestamp.
fn covers(parts: &[Part], place: &StampPlace) -> bool {
    let has = |part: &Part| parts.contains(part);
    match place {
        StampPlace::Pair(_) => false,
        StampPlace::At(place @ Place::Header(_)) => has(&Part::Value(place.clone())),
        StampPlace::At(place @ Place::Field(path)) => {
            let sns = path.as_slice() == ["Timestamp"] && has(&Part::SnsFields);
            sns || has(&Part::Body) || has(&Part::Value(place.clone()))
        }
        StampPlace::At(Place::Query(_)) => has(&Part::Url),
    }
}
