//! The public key in an X.509 certificate. It must stay true that nothing here says whom a certificate belongs to:
//! whoever uses its key has got it from somebody they believe.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use webpki::EndEntityCert;

use crate::{
    Error, PublicKey, SignatureAlgorithm,
    der::{GENERALIZED_TIME, INTEGER, Reader, SEQUENCE, UTC_TIME},
};

/// Begins the version of a certificate, which may be left out.
const VERSION: u8 = 0xa0;
const BAD: Error = Error::Certificate("it is neither PEM nor DER of an X.509 certificate");

/// The key of a certificate, and when it may be used.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Its key.
    pub key: PublicKey,
    /// The first second at which it is valid, since 1970.
    pub not_before: i64,
    /// The last second at which it is valid, since 1970.
    pub not_after: i64,
}

impl Certificate {
    /// Reads a certificate of PEM (the first one there) or DER. Its issuer and its names are not looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] when it is none, [`Error::PublicKey`] when its key is not for this algorithm.
    pub fn read(algorithm: SignatureAlgorithm, bytes: &[u8]) -> Result<Self, Error> {
        let der = match bytes.first() {
            Some(&SEQUENCE) => CertificateDer::from(bytes),
            _ => CertificateDer::from_pem_slice(bytes).map_err(|_| BAD)?,
        };
        let certificate = EndEntityCert::try_from(&der).map_err(|_| BAD)?;
        let key = PublicKey::from_bytes(algorithm, &certificate.subject_public_key_info())?;
        let (not_before, not_after) = validity(&der).ok_or(BAD)?;
        Ok(Self { key, not_before, not_after })
    }
}

/// The two times, which webpki checks only together with an issuer.
fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let mut content = Reader(der).inside(SEQUENCE)?.inside(SEQUENCE)?;
    if content.tag()? == VERSION {
        content.any()?;
    }
    content.value(INTEGER)?;
    content.value(SEQUENCE)?;
    content.value(SEQUENCE)?;
    let mut times = content.inside(SEQUENCE)?;
    Some((time(&mut times)?, time(&mut times)?))
}

/// Seconds since 1970 of `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms that RFC 5280 allows.
fn time(times: &mut Reader<'_>) -> Option<i64> {
    let (tag, text) = times.any()?;
    let digits = text.strip_suffix(b"Z")?;
    let number = |digits: &[u8]| {
        let value =
            |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'));
        digits.iter().try_fold(0, value)
    };
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let mut fields = rest.chunks(2).map(number);
    let mut field = |range: std::ops::RangeInclusive<i64>| {
        fields.next().flatten().filter(|value| range.contains(value))
    };
    let (month, day) = (field(1..=12)?, field(1..=31)?);
    let (hour, minute, second) = (field(0..=23)?, field(0..=59)?, field(0..=59)?);
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days from 1970 to a date of the Gregorian calendar, with years that begin in March so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
