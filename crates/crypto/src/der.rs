//! A reader of DER, as far as public keys and the dates of a certificate need it. It must stay true that it never
//! reads past its input and takes no length that could have been written shorter.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'d>(pub(crate) &'d [u8]);

impl<'d> Reader<'d> {
    /// The next value, whatever it is: its tag and its content.
    pub(crate) fn any(&mut self) -> Option<(u8, &'d [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&[a], rest) = rest.split_first_chunk::<1>()?;
                (usize::from(a), rest)
            }
            0x82 => {
                let (&[a, b], rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes([a, b])), rest)
            }
            _ => return None,
        };
        let shortest = match length {
            0..=0x7f => first <= 0x7f,
            0x80..=0xff => first == 0x81,
            _ => true,
        };
        if !shortest {
            return None;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The content of the next value, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (found, value) = self.any()?;
        (found == tag).then_some(value)
    }

    /// A reader of the next value, which must have this tag.
    pub(crate) fn inside(&mut self, tag: u8) -> Option<Reader<'d>> {
        self.value(tag).map(Reader)
    }

    /// The tag of the next value.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
