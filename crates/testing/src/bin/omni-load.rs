//! `omni-load`: see `omni_testing::load`.

use std::process::ExitCode;

fn main() -> ExitCode {
    omni_testing::load::main()
}
