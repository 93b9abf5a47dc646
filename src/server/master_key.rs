//! Where the master key is: in the environment, or in a file apart from the data folder. And how
//! another takes its place.
//!
//! A key is on the disk before anything is sealed under it, and the one before it is there until
//! nothing is: whatever is cut off, one of the two files opens the store.

use super::StartError;
use crate::access::{Deployment, MasterKey, Sealed};
use crate::store::{Location, Store};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How long a key's file may be; a key has 44 characters.
const FILE_BYTES_MAX: u64 = 1024;
/// What is left of a file's mode if only its owner may do anything with it.
const OTHERS: u32 = 0o077;
const VARIABLE: &str = "CAMPANILE_MASTER_KEY";
const SETTING: &str = "--master-key-file (CAMPANILE_MASTER_KEY_FILE)";

/// Where a master key is.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// It was told.
    Given(MasterKey),
    /// It is in a file, which the first start makes.
    File(PathBuf),
}

/// The master key of a store.
#[derive(Debug)]
pub struct StoreKey {
    /// The key.
    pub key: MasterKey,
    /// The file that it is in, if nothing was sealed under it before.
    pub new_file: Option<PathBuf>,
}

impl MasterKeySource {
    /// Returns where the key of a store is unless somebody says otherwise: beside its folder, so that
    /// a copy of the folder holds no key, and nowhere for what is gone with the process.
    pub fn of(location: &Location) -> Result<Self, String> {
        let folder = match location {
            Location::Embedded(folder) => folder,
            Location::Memory => return Ok(Self::Given(MasterKey::new(rand::random()))),
            Location::Postgres(_) => {
                return Err(format!(
                    "the secrets in a database are sealed under a master key that all of its \
                     servers have. Make one with `openssl rand -base64 32`, and give it to each of \
                     them: set {VARIABLE}, or name its file with {SETTING}"
                ));
            }
        };
        // A folder like . has no name to put anything behind.
        let named = match folder.file_name() {
            Some(_) => Some(folder.clone()),
            None => folder.canonicalize().ok().filter(|folder| folder.file_name().is_some()),
        };
        let named = named.ok_or_else(|| {
            format!(
                "the data folder {} has no place beside it for the master key. Say with {SETTING} \
                 where it is to be",
                folder.display()
            )
        })?;
        Ok(Self::File(with_ending(&named, ".key")))
    }

    /// Returns the key of a store. Only where nothing is sealed yet, a key that is missing is made.
    pub fn find(&self, store: &Store) -> Result<StoreKey, StartError> {
        let data_key = Deployment::data_key(store).map_err(StartError::Store)?;
        let key = match (self, &data_key) {
            (Self::Given(key), None) => Ok(key.clone()),
            (Self::Given(key), Some(data_key)) if key.opens(data_key) => Ok(key.clone()),
            (Self::Given(_), Some(_)) => Err(another(VARIABLE)),
            (Self::File(path), Some(data_key)) => find_file(path, data_key),
            (Self::File(path), None) => {
                read(path).and_then(|key| key.map_or_else(|| make(path), Ok))
            }
        };
        let new_file = match self {
            Self::File(path) if data_key.is_none() => Some(path.clone()),
            _ => None,
        };
        key.map(|key| StoreKey { key, new_file }).map_err(StartError::MasterKey)
    }
}

/// How a master key is to be exchanged for another.
#[derive(Clone, Debug)]
pub enum Rotation {
    /// Both were told.
    Given {
        /// The one that the store is sealed under.
        old: MasterKey,
        /// The one that it is to be sealed under.
        new: MasterKey,
    },
    /// The one is in this file, and a new one is to be there.
    File(PathBuf),
}

impl Rotation {
    /// Exchanges the master key of a store that no server uses.
    pub fn run(&self, location: &Location) -> Result<(), StartError> {
        let store = Store::open_existing(location).map_err(StartError::Store)?;
        let data_key = Deployment::data_key(&store).map_err(StartError::Store)?;
        let data_key = data_key.ok_or_else(|| {
            StartError::MasterKey(format!(
                "nothing in {location} is sealed yet. Start the server on it once, which does that"
            ))
        })?;
        let change = |old: &MasterKey, new: &MasterKey| {
            Deployment::change_master_key(&store, old.clone(), new.clone())
                .map_err(StartError::Store)
        };
        match self {
            // Whoever was cut off runs it again.
            Self::Given { old, new } if !old.opens(&data_key) && new.opens(&data_key) => Ok(()),
            Self::Given { old, new } if old.opens(&data_key) => change(old, new),
            Self::Given { .. } => Err(StartError::MasterKey(another(VARIABLE))),
            Self::File(path) => {
                let old = find_file(path, &data_key).map_err(StartError::MasterKey)?;
                let (new, next) = (MasterKey::new(rand::random()), next_path(path));
                write(&next, &new, |file| file.persist(&next).map(drop).map_err(|it| it.error))
                    .map_err(|error| StartError::MasterKey(unwritable(&next, &error)))?;
                change(&old, &new)?;
                put_in_place(path).map_err(StartError::MasterKey)
            }
        }
    }
}

/// Finds the key in a file that a store was sealed under, also if an exchange was cut off.
fn find_file(path: &Path, data_key: &Sealed) -> Result<MasterKey, String> {
    let fits = |key: &MasterKey| key.opens(data_key);
    let found = read(path);
    if let Ok(Some(key)) = &found
        && fits(key)
    {
        return Ok(key.clone());
    }
    let next = read(&next_path(path)).ok().flatten();
    if let Some(key) = next.filter(fits) {
        put_in_place(path)?;
        tracing::info!("the master key that was being exchanged is in {} now", path.display());
        return Ok(key);
    }
    match found? {
        Some(_) => Err(another(&path.display().to_string())),
        None => Err(format!(
            "the secrets in the store are sealed under a master key, and there is none in {}. Put \
             its file there from where it was backed up, name it with {SETTING}, or set \
             {VARIABLE}. Nothing was changed",
            path.display()
        )),
    }
}

fn another(place: &str) -> String {
    format!(
        "the store was sealed with another master key than the one in {place}. Use the one that it \
         was sealed with: name its file with {SETTING}, or set {VARIABLE}. Nothing was changed"
    )
}

/// Reads a key's file; `None` if there is none.
fn read(path: &Path) -> Result<Option<MasterKey>, String> {
    let wrong = |reason: &str| format!("the master key's file {}: {reason}", path.display());
    let failed = |error: io::Error| wrong(&format!("it cannot be read: {error}"));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    if mode & OTHERS != 0 {
        return Err(wrong(&format!(
            "others than its owner can read or change it (its mode is {:03o}). Say chmod 600 {}; \
             if others may have read it, exchange the key as well: campanile keys rotate-master",
            mode & 0o777,
            path.display()
        )));
    }
    let key = std::str::from_utf8(&bytes).ok().and_then(|text| MasterKey::parse(text.trim_end()));
    key.map(Some).ok_or_else(|| {
        wrong("it must hold one line, base64 of 32 bytes, as `openssl rand -base64 32` prints it")
    })
}

/// Makes a key and its file, which nobody made in the meantime.
fn make(path: &Path) -> Result<MasterKey, String> {
    let key = MasterKey::new(rand::random());
    write(path, &key, |file| file.persist_noclobber(path).map(drop).map_err(|it| it.error))
        .map_err(|error| unwritable(path, &error))?;
    Ok(key)
}

/// Writes a key's file for its owner's eyes. It has its name once it is whole.
fn write(
    path: &Path,
    key: &MasterKey,
    name: impl FnOnce(NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".campanile-key-").tempfile_in(parent(path))?;
    file.write_all(format!("{}\n", key.text().expose()).as_bytes())?;
    file.as_file().sync_all()?;
    name(file)?;
    sync_folder(path)
}

/// Puts the new key's file in the place of the old one's.
fn put_in_place(path: &Path) -> Result<(), String> {
    let next = next_path(path);
    fs::rename(&next, path).and_then(|()| sync_folder(path)).map_err(|error| {
        let (next, path) = (next.display(), path.display());
        format!("the new master key is in {next} and cannot be moved to {path}: {error}")
    })
}

/// Returns where a new key is until it takes the place of the one before it.
fn next_path(path: &Path) -> PathBuf {
    with_ending(path, ".new")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    path.with_file_name(name)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!(
        "the master key's file {} cannot be made: {error}. Name another place with {SETTING}",
        path.display()
    )
}
