//! The `omni` program: the server with every role (`omni up`) and the command line that talks to
//! one over REST. Commands hold no rules of the product; those are in the server.

mod cli;
mod client;
mod commands;
mod demo;
mod documents;
mod error;
mod messages;
mod output;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use owo_colors::OwoColorize;
use tokio::runtime::Builder;

use crate::cli::{Cli, Command};
use crate::error::Error;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut builder = match cli.command {
        Command::Up(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let done = match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(Error::Server(format!("cannot start: {error}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                anstream::eprintln!("{} {error}", "error:".red().bold());
            }
            error.exit_code()
        }
    }
}
