//! `campanile copy`: a whole store to another place or another engine.

use super::{GENERAL, USAGE, fail};
use crate::access::Deployment;
use crate::config::{StoreUrl, parse_store};
use crate::server::MasterKeySource;
use crate::store::copy::{Copied, CopyError, Progress, Stage};
use crate::store::{Location, Store};
use clap::Args;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often a line tells how far it is, where there is no terminal to draw on.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
#[expect(clippy::doc_markdown, reason = "the comments are the text of --help")]
#[command(after_help = "\
Everything goes, in any state: accounts, users, IAM, the audit, mail that is still to be sent.
Clients change nothing, for ids, access keys and page tokens stay good.

It works on the stores themselves, so all servers on either of them must be stopped. On a data
folder that is checked; on a database it is for you to see to.

Cut off at any moment, also by kill -9 or a lost connection, the same command goes on where it was.
Until the copy is complete, no server starts on it. At the end both sides are read anew and
compared, entry by entry and by a SHA-256 digest of them all. Where the source was changed
meanwhile, that is found, and the copy not called verified.

The destination must be new or empty; what it holds otherwise is never touched. A copy that is
complete already is compared once more. Nothing in the source is changed: remove it once the copy
serves, or keep it as a backup.

No master key is needed: secrets are copied as they are, sealed. The copy opens with the master
key of the source, and with no other; the last lines say what to do about it.

  campanile copy --from embedded:./campanile-data --to embedded:/srv/campanile
  campanile copy --from embedded:./campanile-data --to postgres://campanile@db1,db2/campanile")]
pub(super) struct CopyArgs {
    /// Store to copy: embedded:PATH, a folder, or postgres://USER:PASSWORD@HOST,HOST/DATABASE, as for
    /// campanile serve. A password belongs into the environment, where no process list shows it
    #[arg(long, env = "CAMPANILE_COPY_FROM", value_name = "STORE", hide_env_values = true)]
    #[arg(value_parser = parse_store)]
    from: StoreUrl,

    /// Where to copy it to, new or empty: the same
    #[arg(long, env = "CAMPANILE_COPY_TO", value_name = "STORE", hide_env_values = true)]
    #[arg(value_parser = parse_store)]
    to: StoreUrl,
}

pub(super) fn copy(args: &CopyArgs) -> ExitCode {
    let (from, to) = match (&args.from, &args.to) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) => return fail(&format!("--from (CAMPANILE_COPY_FROM): {error}"), USAGE),
        (_, Err(error)) => return fail(&format!("--to (CAMPANILE_COPY_TO): {error}"), USAGE),
    };
    if let Err(error) = refuse_pair(from, to) {
        return fail(&error, USAGE);
    }
    let text = match run(from, to) {
        Ok(text) => text,
        Err(error) => return fail(&error, GENERAL),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("standard output: {error}"), GENERAL),
    }
}

/// Refuses what is no two places.
fn refuse_pair(from: &Location, to: &Location) -> Result<(), String> {
    for (flag, location) in [("--from", from), ("--to", to)] {
        if *location == Location::Memory {
            return Err(format!(
                "{flag} is memory:, which is gone with its process. Name a store that stays, such \
                 as embedded:PATH"
            ));
        }
    }
    let (from, to) = match (from, to) {
        (Location::Embedded(from), Location::Embedded(to)) => (from, to),
        (Location::Postgres(_), Location::Postgres(_)) => {
            return Err("--from and --to are both a database. PostgreSQL's own tools copy one to \
                        another, such as pg_dump and psql"
                .to_owned());
        }
        _ => return Ok(()),
    };
    let (from, to) = (resolved(from), resolved(to));
    if from == to {
        return Err(format!("--from and --to are the same folder, {}", from.display()));
    }
    if from.starts_with(&to) || to.starts_with(&from) {
        return Err(format!(
            "of {} and {} one is inside the other. Name a folder outside",
            from.display(),
            to.display()
        ));
    }
    Ok(())
}

/// Returns a folder's one path, whatever links lead to it, also if it is still to be made.
fn resolved(folder: &Path) -> PathBuf {
    let path = absolute(folder).unwrap_or_else(|_| folder.to_owned());
    for ancestor in path.ancestors() {
        if let (Ok(found), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { found } else { found.join(rest) };
        }
    }
    path
}

/// Copies, and answers what to tell.
fn run(from: &Location, to: &Location) -> Result<String, String> {
    let begun = Instant::now();
    let source = Store::open_existing(from).map_err(|error| format!("--from {from}: {error}"))?;
    let is_sealed =
        Deployment::data_key(&source).map_err(|error| format!("--from {from}: {error}"))?.is_some();
    let destination = Store::open(to).map_err(|error| format!("--to {to}: {error}"))?;
    let mut display = Display::new();
    let copied = source.copy_to(&destination, &mut |progress| display.show(progress));
    drop(display);
    let copied = copied.map_err(|error| told(&error))?;
    // What is told must be true, also of a destination that writes when it is closed.
    drop(destination);
    Ok(summary(&copied, from, to, begun.elapsed()) + &master_key(from, to, is_sealed))
}

fn told(error: &CopyError) -> String {
    if error.can_go_on() {
        return format!("{error}. Run the same command again, and it goes on where it was");
    }
    error.to_string()
}

fn summary(copied: &Copied, from: &Location, to: &Location, took: Duration) -> String {
    let Copied { entries, bytes, entries_before, .. } = copied;
    let before = match entries_before {
        0 => String::new(),
        all if all == entries => ", all of them by an earlier call".to_owned(),
        some => format!(", {} of them by an earlier call", HumanCount(*some)),
    };
    format!(
        "copied       {} entries, {}, in {:.1} s{before}\n\
         source       sha256:{} {from}\n\
         destination  sha256:{} {to}\n\
         verified     both were read anew and are the same\n",
        HumanCount(*entries),
        HumanBytes(*bytes),
        took.as_secs_f64(),
        copied.source_digest,
        copied.destination_digest,
    )
}

/// Says which master key the copy needs, and how it comes to it.
fn master_key(from: &Location, to: &Location, is_sealed: bool) -> String {
    if !is_sealed {
        return "master key   none yet: an older release wrote this store, whose secrets are \
                sealed at\n             the first start of a server\n"
            .to_owned();
    }
    let file = |location| match MasterKeySource::of(location) {
        Ok(MasterKeySource::File(path)) => Some(path),
        _ => None,
    };
    let (ours, theirs) = (file(from), file(to));
    let first = match &ours {
        Some(path) if path.exists() => format!("that of the source, in {}", path.display()),
        _ => "that of the source, which its servers were told".to_owned(),
    };
    let then = match (ours.filter(|path| path.exists()), theirs) {
        (_, Some(theirs)) if theirs.exists() => {
            format!("{} exists already: see that it holds that key", theirs.display())
        }
        (Some(ours), Some(theirs)) => format!(
            "a server on the copy looks for it in {}:\n             cp -p {} {}",
            theirs.display(),
            quoted(&ours),
            quoted(&theirs)
        ),
        (None, Some(theirs)) => format!(
            "a server on the copy looks for it in {}, unless it is told as before",
            theirs.display()
        ),
        _ => "tell it to the servers on the copy, by CAMPANILE_MASTER_KEY or --master-key-file"
            .to_owned(),
    };
    format!(
        "master key   {first}\n             {then}\n             Back it up, apart from the copy\n"
    )
}

/// Writes a path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-+,@%=".contains(it);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// What a person sees meanwhile on standard error: a line that is drawn again, or lines.
struct Display {
    bar: Option<ProgressBar>,
    /// The stage, since when, with how many entries it began, and when a line told of it.
    stage: Option<(Stage, Instant, u64, Instant)>,
}

impl Display {
    fn new() -> Self {
        Self { bar: io::stderr().is_terminal().then(ProgressBar::no_length), stage: None }
    }

    fn show(&mut self, progress: Progress) {
        let now = Instant::now();
        let is_new = self.stage.is_none_or(|(stage, ..)| stage != progress.stage);
        if is_new {
            self.stage = Some((progress.stage, now, progress.entries, now));
            self.begin(progress);
        }
        let Some((_, begun, entries, told)) = &mut self.stage else { return };
        let text = text(progress, *entries, begun.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.set_position(progress.entries);
            }
            None if is_new || told.elapsed() >= LINE_INTERVAL => {
                *told = now;
                // Where standard error is closed, the exit code still says how it ended.
                writeln!(io::stderr().lock(), "{text}").ok();
            }
            None => {}
        }
    }

    fn begin(&self, progress: Progress) {
        let Some(bar) = &self.bar else { return };
        let template = match progress.entries_of {
            Some(_) => "{msg} {wide_bar} {eta} left",
            None => "{msg}, {elapsed}",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.reset();
        match progress.entries_of {
            Some(entries) => bar.set_length(entries),
            None => bar.unset_length(),
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn text(progress: Progress, entries_before: u64, elapsed: Duration) -> String {
    let stage = match progress.stage {
        Stage::ReadingAgain => "reading again what was copied before",
        Stage::Copying => "copying",
        Stage::Comparing => "comparing",
    };
    let of = match progress.entries_of {
        Some(entries) => format!(" of {}", HumanCount(entries)),
        None => String::new(),
    };
    let copied = progress.entries.saturating_sub(entries_before);
    let rate = match elapsed.as_millis() {
        // A moment after its beginning nobody knows how fast it is.
        0..1000 => String::new(),
        milliseconds => {
            let rate = u128::from(copied) * 1000 / milliseconds;
            format!(", {} entries a second", HumanCount(rate.try_into().unwrap_or(u64::MAX)))
        }
    };
    let (entries, bytes) = (HumanCount(progress.entries), HumanBytes(progress.bytes));
    format!("{stage}: {entries}{of} entries, {bytes}{rate}")
}
