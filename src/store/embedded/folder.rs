//! The data folder: whose it is, who uses it now, and how far its making got.
//!
//! The folder holds `campanile.json` (what it is), `campanile.lock` (locked by the process that
//! uses it), `log` and `tree` (the engine's files). A folder with anything in it but no
//! `campanile.json` is somebody else's, and is never written to.

use super::fault::{failed, unreadable};
use crate::store::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The form of the folder that this program reads and writes.
const FORMAT: u32 = 1;
const MARKER: &str = "campanile.json";
const LOCK: &str = "campanile.lock";

/// A claimed folder; the claim ends when this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    marker: Marker,
    _lock: File,
}

#[derive(Debug, Deserialize, Serialize)]
struct Marker {
    format: u32,
    /// Tells this folder's files from those of another.
    id: u64,
    /// False until the engine's files are complete: a folder whose making was cut off holds
    /// nothing that anybody was told of, and is made again.
    created: bool,
}

impl Folder {
    /// Claims a folder for this process, and makes it if there is none.
    pub(super) fn claim(path: &Path) -> Result<Self> {
        let failed = |error| folder_failed(path, &error);
        make_private_folder(path).map_err(failed)?;
        if !path.join(MARKER).exists() {
            refuse_foreign(path, &fs::read_dir(path).map_err(failed)?.collect::<Vec<_>>())?;
        }
        let lock = locked(path)?;
        let marker = read_marker(path)?;
        let new = || Marker { format: FORMAT, id: rand::random(), created: false };
        let folder =
            Self { path: path.to_owned(), marker: marker.unwrap_or_else(new), _lock: lock };
        if !folder.is_created() {
            folder.begin_again().map_err(failed)?;
        }
        Ok(folder)
    }

    /// Returns where the engine keeps its log.
    pub(super) fn log_path(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Returns where the engine keeps its tree.
    pub(super) fn tree_path(&self) -> PathBuf {
        self.path.join("tree")
    }

    /// Returns the number that tells this folder's files from those of another.
    pub(super) fn id(&self) -> u64 {
        self.marker.id
    }

    /// Tells whether the engine's files were completed once, so that all of them must be there.
    pub(super) fn is_created(&self) -> bool {
        self.marker.created
    }

    /// Notes that the engine's files are complete.
    pub(super) fn created(&mut self) -> Result<()> {
        if self.is_created() {
            return Ok(());
        }
        self.marker.created = true;
        self.write_marker().map_err(|error| folder_failed(&self.path, &error))
    }

    fn begin_again(&self) -> io::Result<()> {
        self.write_marker()?;
        for path in [self.log_path(), self.tree_path()] {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            make_private_folder(&path)?;
        }
        sync_folder(&self.path)
    }

    fn write_marker(&self) -> io::Result<()> {
        let marker = serde_json::to_vec(&self.marker)?;
        let written = self.path.join("campanile.json.new");
        let mut file = File::create(&written)?;
        file.write_all(&marker)?;
        file.sync_all()?;
        fs::rename(&written, self.path.join(MARKER))?;
        sync_folder(&self.path)
    }
}

/// Tells whether a folder is a data folder, without making it one.
pub(in crate::store) fn is_there(path: &Path) -> bool {
    path.join(MARKER).exists()
}

fn folder_failed(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable(format!("the data folder {} fails: {error}", path.display()))
}

fn refuse_foreign(path: &Path, entries: &[io::Result<fs::DirEntry>]) -> Result<()> {
    // What a start leaves that was cut off before it could say whose the folder is.
    let ours = |name: &std::ffi::OsStr| name == LOCK || name == "campanile.json.new";
    match entries.iter().flatten().map(fs::DirEntry::file_name).find(|name| !ours(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Corrupt(format!(
            "the folder {} holds {} but no {MARKER}, so it is not a Campanile data folder. \
             Nothing in it was changed. Name an empty or a new folder",
            path.display(),
            name.display()
        ))),
    }
}

fn locked(path: &Path) -> Result<File> {
    let lock_path = path.join(LOCK);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| failed(&lock_path, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Unavailable(format!(
            "another Campanile server is using the data folder {}. Stop it first, or name \
             another folder with --store embedded:PATH",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(&lock_path, error)),
    }
}

fn read_marker(path: &Path) -> Result<Option<Marker>> {
    let file = path.join(MARKER);
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&file, error)),
    };
    let marker: Marker = serde_json::from_slice(&text).map_err(|error| {
        Error::Corrupt(format!("{} is damaged: {error}. Nothing was changed", file.display()))
    })?;
    if marker.format != FORMAT {
        return Err(Error::Corrupt(format!(
            "{} has format {}, and this Campanile reads format {FORMAT}. Use the release that \
             wrote it, or a newer one",
            path.display(),
            marker.format
        )));
    }
    Ok(Some(marker))
}

/// Makes a folder that only its owner can enter: it holds secrets.
fn make_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Makes what was created, renamed or removed in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
