//! `campanile keys rotate-master`: another master key for a store that no server uses.

use super::{GENERAL, USAGE, fail};
use crate::config::StoreArgs;
use crate::server::Rotation;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::io::{self, Write};
use std::process::ExitCode;

pub(super) const COMMAND: &str = "rotate-master";

#[derive(Args, Debug)]
#[command(after_help = "\
It works on the store itself, so the server must be stopped. Every secret stays what it is: with a
key file, a new key is made and takes the old one's place in it.
Where the master key comes from the environment, both are told:
  CAMPANILE_MASTER_KEY      the key until now, base64 of its 32 bytes
  CAMPANILE_NEW_MASTER_KEY  the key from now on")]
struct RotateMasterArgs {
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn command() -> Command {
    RotateMasterArgs::augment_args(Command::new(COMMAND)).about(
        "Exchange the master key, under which the secrets in a store are sealed, for another",
    )
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    match RotateMasterArgs::from_arg_matches(matches) {
        Ok(args) => rotate(args),
        Err(error) => fail(&error.to_string(), USAGE),
    }
}

/// Exchanges the master key, and says what is to be kept now.
fn rotate(args: RotateMasterArgs) -> ExitCode {
    let (location, rotation) = match args.store.rotation() {
        Ok(rotation) => rotation,
        Err(error) => return fail(&error, GENERAL),
    };
    if let Err(error) = rotation.run(&location) {
        return fail(&error.to_string(), GENERAL);
    }
    let place = match rotation {
        Rotation::File(path) => format!("a new master key, in {}", path.display()),
        Rotation::Given { .. } => "the key in CAMPANILE_NEW_MASTER_KEY".to_owned(),
    };
    let told = writeln!(
        io::stdout().lock(),
        "The secrets in {location} are sealed under {place}.\n\
         Back it up apart from the folder. Backups of the folder from before need the key from \
         before."
    );
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("standard output: {error}"), GENERAL),
    }
}
