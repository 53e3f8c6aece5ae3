//! Compiles `proto/` with protox, so that no `protoc` is needed, and keeps the descriptor set for reflection.

use std::{env, error::Error, fs, path::PathBuf};

/// The files of the package, relative to `proto/`.
const FILES: [&str; 10] = [
    "omni/v1/common.proto",
    "omni/v1/event.proto",
    "omni/v1/capture.proto",
    "omni/v1/replay.proto",
    "omni/v1/source.proto",
    "omni/v1/schedule.proto",
    "omni/v1/automation.proto",
    "omni/v1/registry.proto",
    "omni/v1/admin.proto",
    "omni/v1/dead_letter.proto",
];

#[expect(clippy::disallowed_methods, reason = "cargo hands paths to build scripts in variables")]
fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    fs::write(out_dir.join("omni.v1.fds"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .bytes(".omni.v1")
        .out_dir(&out_dir)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
