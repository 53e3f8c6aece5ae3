//! `omni version`

use crate::cli::Format;
use crate::error::Error;
use crate::output::{Out, line};

pub(super) fn run(out: Out) -> Result<(), Error> {
    let version = env!("CARGO_PKG_VERSION");
    match out.format() {
        Format::Table => line(format!("omni {version}")),
        Format::Json => line(format!(r#"{{"version":"{version}"}}"#)),
        Format::Yaml => line(format!("version: {version}")),
    }
}
