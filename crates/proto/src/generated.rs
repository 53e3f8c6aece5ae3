//! What the build script generates from `proto/`; nothing is written by hand here.
#![expect(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes,
    reason = "generated code follows other rules"
)]

include!(concat!(env!("OUT_DIR"), "/omni.v1.rs"));
