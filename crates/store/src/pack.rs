//! How bytes are kept in a column: a byte that names the form, then the bytes, compressed where that helps.
//!
//! What must stay true: what was packed by any release is unpacked to exactly the same bytes.

use std::{cell::RefCell, io};

use zstd::bulk::{Compressor, Decompressor};

/// The bytes as they are.
const PLAIN: u8 = 0;
/// A zstd frame that says how long its content is.
const ZSTD: u8 = 1;
/// Nothing: the bytes were taken out on purpose.
const EXPUNGED: u8 = 2;

/// Shorter texts gain nothing.
const COMPRESSED_FROM: usize = 128;
/// The quickest level that finds repeats in a kilobyte of JSON; higher ones cost twice as much for a twentieth.
const LEVEL: i32 = 1;
/// A thread keeps no more room than this.
const ROOM_KEPT_MAX: usize = 256 << 10;
/// Nothing longer was ever taken in, so a frame that claims to be is damaged.
const UNPACKED_MAX: usize = 64 << 20;

thread_local! {
    // Making one costs more than compressing a kilobyte.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    // Room for the worst case, kept from call to call: what is handed out is copied to its own length.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What stands where bytes were expunged.
pub(crate) fn expunged() -> Vec<u8> {
    vec![EXPUNGED]
}

/// Puts bytes into the form that is kept.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= COMPRESSED_FROM
        && let Ok(packed) = compressed(bytes)
        && packed.len() < bytes.len()
    {
        return packed;
    }
    let mut plain = Vec::with_capacity(bytes.len() + 1);
    plain.push(PLAIN);
    plain.extend_from_slice(bytes);
    plain
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(Compressor::new(LEVEL)?),
        };
        let bound = 1 + zstd::zstd_safe::compress_bound(bytes.len());
        if bound > ROOM_KEPT_MAX {
            return compressed_in(&mut vec![0; bound], compressor, bytes);
        }
        ROOM.with_borrow_mut(|room| {
            if room.len() < bound {
                room.resize(bound, 0);
            }
            compressed_in(room, compressor, bytes)
        })
    })
}

/// With room for the worst case the library makes one pass and copies nothing.
fn compressed_in(
    room: &mut [u8],
    compressor: &mut Compressor<'_>,
    bytes: &[u8],
) -> io::Result<Vec<u8>> {
    room[0] = ZSTD;
    let written = compressor.compress_to_buffer(bytes, &mut room[1..])?;
    Ok(room[..=written].to_vec())
}

/// The bytes that were packed; `None` when they were expunged.
///
/// # Errors
/// When the column holds no such form, or a damaged one.
pub(crate) fn unpack(packed: Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    match packed.split_first() {
        Some((&PLAIN, _)) => {
            let mut plain = packed;
            plain.remove(0);
            Ok(Some(plain))
        }
        Some((&ZSTD, frame)) => decompressed(frame).map(Some),
        Some((&EXPUNGED, _)) => Ok(None),
        Some((form, _)) => {
            Err(format!("form {form} is not known; a newer release may have written it"))
        }
        None => Err("it is empty".to_owned()),
    }
}

fn decompressed(frame: &[u8]) -> Result<Vec<u8>, String> {
    let size = Decompressor::upper_bound(frame)
        .filter(|size| *size <= UNPACKED_MAX)
        .ok_or("the frame does not say how long its content is")?;
    DECOMPRESSOR
        .with_borrow_mut(|slot| {
            let decompressor = match slot {
                Some(decompressor) => decompressor,
                None => slot.insert(Decompressor::new()?),
            };
            decompressor.decompress(frame, size)
        })
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went() {
        let long = br#"{"ref":"refs/heads/main","before":"refs/heads/main"}"#.repeat(40);
        for bytes in [&b""[..], b"{}", b"\x00\xff\x01", &[7; 127], &[7; 128], &long] {
            let packed = pack(bytes);
            assert!(packed.len() <= bytes.len() + 1);
            assert_eq!(unpack(packed).unwrap().as_deref(), Some(bytes));
        }
        assert!(pack(&long).len() < long.len() / 10);
    }

    #[test]
    fn what_does_not_compress_is_kept_plain() {
        let noise: Vec<u8> =
            (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let packed = pack(&noise);
        assert!(packed.len() <= noise.len() + 1);
        assert_eq!(unpack(packed).unwrap(), Some(noise));
    }

    #[test]
    fn expunged_bytes_are_nothing_and_damage_is_told() {
        assert_eq!(unpack(expunged()).unwrap(), None);
        assert!(unpack(vec![]).is_err());
        assert!(unpack(vec![9, 1]).is_err());
        let mut damaged = pack(&[b'x'; 500]);
        let last = damaged.len() - 1;
        damaged.truncate(last);
        assert!(unpack(damaged).is_err());
    }
}
