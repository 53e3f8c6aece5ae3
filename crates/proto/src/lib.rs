#![doc = include_str!("../README.md")]

mod generated;

pub use generated::*;
pub use prost_types::Timestamp;

/// The compiled `proto/` as an encoded `FileDescriptorSet`, imports and comments included: what reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/omni.v1.fds"));

/// The most bytes one message may have, both ways: the largest payload in its envelope, with room.
pub const MESSAGE_MAX: usize = 16 * 1024 * 1024;
