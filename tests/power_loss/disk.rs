//! A disk that keeps what it was told to keep, and of the rest whatever chance decides.
//!
//! A write is certain once a sync of its file that began after it has ended. Until then each sector
//! of 512 bytes is in any of the states that it has had since, whatever became of the others; and
//! so is the length of the file. What becomes of the names in folders, a [`Model`] says.

#![expect(clippy::cast_possible_truncation, reason = "what a test writes fits into memory")]

use rand::Rng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;
const PAGE: u64 = 4096;

/// The number of a file or folder, which it keeps under whatever name.
pub type Inode = usize;
/// The folder that everything is in. It is there before the first event, and stays.
pub const ROOT: Inode = 0;

/// Something that a program did to the disk.
#[derive(Clone, Debug)]
pub enum Event {
    /// A name was given to a new file or folder.
    Make { folder: Inode, name: String, inode: Inode, is_folder: bool },
    /// A name went from one folder to another, or to another name, over what had that name.
    Rename { folder: Inode, name: String, to_folder: Inode, to_name: String },
    /// A name was taken away.
    Remove { folder: Inode, name: String },
    /// Bytes were written.
    Write { inode: Inode, offset: u64, data: Vec<u8> },
    /// A file was cut off or made longer.
    Resize { inode: Inode, length: u64 },
    /// A sync ended; it began when there were so many events.
    Sync { inode: Inode, begun: usize },
    /// The program told somebody something.
    Tell(String),
}

/// What a disk promises of the names in its folders.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Model {
    /// Only what POSIX promises: a name is certain once its folder is synced. Of the other changes
    /// any may be on the disk, without the ones before them.
    Posix,
    /// What ext4, xfs and btrfs do: changes of names reach the disk in their order, and a sync of
    /// a file or folder takes along all that led to its name.
    Journal,
}

/// What became of the things that were not certain when the power went.
#[derive(Debug)]
pub enum Fate {
    /// None of it was on the disk.
    Lost,
    /// All of it was on the disk.
    Kept,
    /// Chance decides of each.
    Chance(Box<StdRng>),
}

/// The state of the disk after some events.
#[derive(Clone, Debug)]
pub struct Disk {
    model: Model,
    /// How many events have happened.
    events: usize,
    files: HashMap<Inode, Contents>,
    folders: BTreeSet<Inode>,
    /// The names that are certain.
    names: Names,
    /// The changes of names that are not, with the number of their event.
    unsynced: Vec<(usize, Event)>,
    /// The names as programs see them.
    seen: Names,
}

type Names = BTreeMap<(Inode, String), Inode>;

impl Disk {
    /// Makes a disk with nothing on it.
    pub fn empty(model: Model) -> Self {
        Self {
            model,
            events: 0,
            files: HashMap::new(),
            folders: BTreeSet::from([ROOT]),
            names: Names::new(),
            unsynced: Vec::new(),
            seen: Names::new(),
        }
    }

    /// Makes a disk on which everything in a folder is certain.
    pub fn of(model: Model, folder: &Path) -> Self {
        let mut disk = Self::empty(model);
        disk.take_in(folder, ROOT);
        disk
    }

    /// Makes it promise something else from now on.
    pub fn promising(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    fn take_in(&mut self, path: &Path, folder: Inode) {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inode = self.files.len() + self.folders.len();
            let name = entry.file_name().into_string().unwrap();
            self.names.insert((folder, name.clone()), inode);
            self.seen.insert((folder, name), inode);
            if entry.file_type().unwrap().is_dir() {
                self.folders.insert(inode);
                self.take_in(&entry.path(), inode);
            } else {
                let certain = Bytes::of(&fs::read(entry.path()).unwrap());
                self.files.insert(inode, Contents { certain, unsynced: Vec::new() });
            }
        }
    }

    /// Returns the file or folder that a name in a folder leads programs to.
    pub fn find(&self, folder: Inode, name: &str) -> Option<Inode> {
        self.seen.get(&(folder, name.to_owned())).copied()
    }

    /// Returns the number for the next new file or folder.
    pub fn next_inode(&self) -> Inode {
        self.files.len() + self.folders.len()
    }

    /// Returns the folders.
    pub fn folders(&self) -> &BTreeSet<Inode> {
        &self.folders
    }

    /// Returns how long programs see a file.
    pub fn length(&self, inode: Inode) -> u64 {
        let contents = &self.files[&inode];
        contents.unsynced.iter().fold(contents.certain.length, |length, (_, change)| match change {
            Change::Write(offset, data) => length.max(offset + data.len() as u64),
            Change::Resize(length) => *length,
        })
    }

    /// Tells which changes of names are not certain.
    pub fn uncertain(&self) -> String {
        let changes = self.unsynced.iter().map(|(number, event)| format!("  {number}: {event:?}"));
        changes.collect::<Vec<_>>().join("\n")
    }

    /// Lets an event happen.
    pub fn apply(&mut self, event: &Event) {
        let number = self.events;
        self.events += 1;
        match event {
            Event::Make { inode, is_folder, .. } => {
                if *is_folder {
                    self.folders.insert(*inode);
                } else {
                    self.files.insert(*inode, Contents::default());
                }
                self.rename(number, event);
            }
            Event::Rename { .. } | Event::Remove { .. } => self.rename(number, event),
            Event::Write { inode, offset, data } => {
                let change = Change::Write(*offset, data.as_slice().into());
                self.files.get_mut(inode).unwrap().unsynced.push((number, change));
            }
            Event::Resize { inode, length } => {
                let change = Change::Resize(*length);
                self.files.get_mut(inode).unwrap().unsynced.push((number, change));
            }
            Event::Sync { inode, begun } => self.sync(*inode, *begun),
            Event::Tell(_) => {}
        }
    }

    fn rename(&mut self, number: usize, event: &Event) {
        // What a rename moves is looked up when it happens, so that it is the same later.
        let inode = match event {
            Event::Rename { folder, name, .. } => self.find(*folder, name),
            _ => None,
        };
        apply_name(&mut self.seen, event);
        match (event, inode) {
            (Event::Rename { folder, name, to_folder, to_name }, Some(inode))
                if folder != to_folder =>
            {
                let (name, to_name) = (name.clone(), to_name.clone());
                let made =
                    Event::Make { folder: *to_folder, name: to_name, inode, is_folder: false };
                self.unsynced.push((number, made));
                self.unsynced.push((number, Event::Remove { folder: *folder, name }));
            }
            _ => self.unsynced.push((number, event.clone())),
        }
    }

    fn sync(&mut self, inode: Inode, begun: usize) {
        if let Some(contents) = self.files.get_mut(&inode) {
            contents.sync(begun);
        }
        let before = self.unsynced.iter().take_while(|(number, _)| *number < begun).count();
        let certain: Vec<_> = match self.model {
            Model::Posix => {
                let is_certain = |place: usize, event: &Event| {
                    place < before && folders_of(event).contains(&inode)
                };
                let mut place = 0;
                let mut certain = Vec::new();
                self.unsynced.retain(|(_, event)| {
                    let keep = !is_certain(place, event);
                    place += 1;
                    if !keep {
                        certain.push(event.clone());
                    }
                    keep
                });
                certain
            }
            Model::Journal => {
                let seen = &self.seen;
                let leads_to = |event: &Event| {
                    folders_of(event).contains(&inode) || names_of(event, seen) == Some(inode)
                };
                let last = self.unsynced[..before].iter().rposition(|(_, event)| leads_to(event));
                self.unsynced.drain(..last.map_or(0, |last| last + 1)).map(|(_, e)| e).collect()
            }
        };
        for event in &certain {
            apply_name(&mut self.names, event);
        }
    }

    /// Writes into an empty folder what is on the disk if the power goes now.
    pub fn write_to(&self, path: &Path, fate: &mut Fate) {
        let mut names = self.names.clone();
        let kept = match (self.model, &mut *fate) {
            (Model::Journal, Fate::Chance(rng)) => {
                let count = rng.random_range(0..=self.unsynced.len());
                self.unsynced.iter().map(|_| true).take(count).collect()
            }
            (_, fate) => fate.choose(self.unsynced.len()),
        };
        for ((_, event), _) in self.unsynced.iter().zip(kept).filter(|(_, kept)| *kept) {
            apply_name(&mut names, event);
        }
        let mut below: BTreeMap<Inode, Vec<(&str, Inode)>> = BTreeMap::new();
        for ((folder, name), inode) in &names {
            below.entry(*folder).or_default().push((name, *inode));
        }
        self.write_folder(path, ROOT, &below, fate);
    }

    fn write_folder(
        &self,
        path: &Path,
        folder: Inode,
        below: &BTreeMap<Inode, Vec<(&str, Inode)>>,
        fate: &mut Fate,
    ) {
        for (name, inode) in below.get(&folder).into_iter().flatten() {
            let path = path.join(name);
            if let Some(contents) = self.files.get(inode) {
                contents.after(fate).write_to(&path);
            } else {
                fs::create_dir(&path).unwrap();
                self.write_folder(&path, *inode, below, fate);
            }
        }
    }
}

/// Returns the folders whose names an event changed.
fn folders_of(event: &Event) -> Vec<Inode> {
    match event {
        Event::Make { folder, .. } | Event::Remove { folder, .. } => vec![*folder],
        Event::Rename { folder, to_folder, .. } => vec![*folder, *to_folder],
        _ => Vec::new(),
    }
}

/// Returns what an event gave a name.
fn names_of(event: &Event, seen: &Names) -> Option<Inode> {
    match event {
        Event::Make { inode, .. } => Some(*inode),
        Event::Rename { to_folder, to_name, .. } => {
            seen.get(&(*to_folder, to_name.clone())).copied()
        }
        _ => None,
    }
}

/// Changes names, as far as what they are to be changed from is there.
fn apply_name(names: &mut Names, event: &Event) {
    match event {
        Event::Make { folder, name, inode, .. } => {
            names.insert((*folder, name.clone()), *inode);
        }
        Event::Remove { folder, name } => {
            names.remove(&(*folder, name.clone()));
        }
        Event::Rename { folder, name, to_folder, to_name } => {
            if let Some(inode) = names.remove(&(*folder, name.clone())) {
                names.insert((*to_folder, to_name.clone()), inode);
            }
        }
        _ => {}
    }
}

impl Fate {
    /// Decides which of some changes are on the disk.
    fn choose(&mut self, count: usize) -> Vec<bool> {
        match self {
            Self::Lost => vec![false; count],
            Self::Kept => vec![true; count],
            Self::Chance(rng) => {
                let chance = [0.1, 0.5, 0.9][rng.random_range(0..3)];
                (0..count).map(|_| rng.random_bool(chance)).collect()
            }
        }
    }

    /// Decides how many of the changes of one thing are on the disk.
    fn choose_first(&mut self, count: usize) -> usize {
        match self {
            Self::Lost => 0,
            Self::Kept => count,
            Self::Chance(rng) => match rng.random_range(0..3) {
                0 => 0,
                1 => count,
                _ => rng.random_range(0..=count),
            },
        }
    }
}

/// A file: what of it is certain, and the changes that are not, with the numbers of their events.
#[derive(Clone, Debug, Default)]
struct Contents {
    certain: Bytes,
    unsynced: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Arc<[u8]>),
    Resize(u64),
}

impl Contents {
    fn sync(&mut self, begun: usize) {
        let count = self.unsynced.iter().take_while(|(number, _)| *number < begun).count();
        for (_, change) in self.unsynced.drain(..count) {
            match change {
                Change::Write(offset, data) => self.certain.write(offset, &data),
                Change::Resize(length) => self.certain.resize(length),
            }
        }
    }

    /// Returns what is on the disk if the power goes now.
    fn after(&self, fate: &mut Fate) -> Bytes {
        let mut bytes = self.certain.clone();
        let mut changes_of_sector: HashMap<u64, usize> = HashMap::new();
        for (_, change) in &self.unsynced {
            for sector in change.sectors() {
                *changes_of_sector.entry(sector).or_default() += 1;
            }
        }
        // Sorted, so that a seed means the same every time.
        let mut sectors: Vec<_> = changes_of_sector.into_iter().collect();
        sectors.sort_unstable();
        let mut kept_of_sector: HashMap<u64, usize> = sectors
            .into_iter()
            .map(|(sector, changes)| (sector, fate.choose_first(changes)))
            .collect();
        let mut kept_lengths = fate.choose_first(self.unsynced.len());
        let mut length = bytes.length;
        for (_, change) in &self.unsynced {
            let length_is_kept = kept_lengths > 0;
            kept_lengths = kept_lengths.saturating_sub(1);
            match change {
                Change::Write(offset, data) => {
                    for sector in change.sectors() {
                        let kept = kept_of_sector.get_mut(&sector).unwrap();
                        if *kept > 0 {
                            *kept -= 1;
                            let begin = (sector * SECTOR).max(*offset);
                            let end = ((sector + 1) * SECTOR).min(offset + data.len() as u64);
                            let part = (begin - offset) as usize..(end - offset) as usize;
                            bytes.write(begin, &data[part]);
                        }
                    }
                    if length_is_kept {
                        length = length.max(offset + data.len() as u64);
                    }
                }
                Change::Resize(to) if length_is_kept => {
                    bytes.resize(*to);
                    length = *to;
                }
                Change::Resize(_) => {}
            }
        }
        bytes.resize(length);
        bytes
    }
}

impl Change {
    fn sectors(&self) -> std::ops::Range<u64> {
        match self {
            Self::Write(offset, data) if !data.is_empty() => {
                offset / SECTOR..(offset + data.len() as u64).div_ceil(SECTOR)
            }
            _ => 0..0,
        }
    }
}

/// Bytes with holes in them, which cost nothing.
#[derive(Clone, Debug, Default)]
struct Bytes {
    length: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE as usize]>>,
}

impl Bytes {
    fn of(data: &[u8]) -> Self {
        let mut bytes = Self::default();
        for (page, part) in data.chunks(PAGE as usize).enumerate() {
            if part != &[0; PAGE as usize][..part.len()] {
                bytes.write(page as u64 * PAGE, part);
            }
        }
        bytes.length = data.len() as u64;
        bytes
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let within = at % PAGE;
            let (part, later) = rest.split_at(rest.len().min((PAGE - within) as usize));
            let page = self.pages.entry(at / PAGE).or_insert_with(|| Arc::new([0; PAGE as usize]));
            let within = within as usize;
            Arc::make_mut(page)[within..within + part.len()].copy_from_slice(part);
            at += part.len() as u64;
            rest = later;
        }
        self.length = self.length.max(at);
    }

    fn resize(&mut self, length: u64) {
        if length < self.length {
            drop(self.pages.split_off(&length.div_ceil(PAGE)));
            if let Some(page) = self.pages.get_mut(&(length / PAGE)) {
                Arc::make_mut(page)[(length % PAGE) as usize..].fill(0);
            }
        }
        self.length = length;
    }

    fn write_to(&self, path: &Path) {
        // It knows no modes, and whoever is particular about them wants this.
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.set_len(self.length).unwrap();
        let mut run: (u64, Vec<u8>) = (0, Vec::new());
        for (page, bytes) in &self.pages {
            let begin = page * PAGE;
            let count = (self.length - begin).min(PAGE) as usize;
            if run.0 + run.1.len() as u64 != begin {
                file.write_all_at(&run.1, run.0).unwrap();
                run = (begin, Vec::new());
            }
            run.1.extend_from_slice(&bytes[..count]);
        }
        file.write_all_at(&run.1, run.0).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn make(folder: Inode, name: &str, inode: Inode) -> Event {
        Event::Make { folder, name: name.to_owned(), inode, is_folder: false }
    }

    fn write(inode: Inode, offset: u64, data: &[u8]) -> Event {
        Event::Write { inode, offset, data: data.to_owned() }
    }

    fn rename(name: &str, to_name: &str) -> Event {
        let (name, to_name) = (name.to_owned(), to_name.to_owned());
        Event::Rename { folder: ROOT, name, to_folder: ROOT, to_name }
    }

    fn after(model: Model, events: &[Event]) -> Disk {
        let mut disk = Disk::empty(model);
        for event in events {
            disk.apply(event);
        }
        disk
    }

    /// Returns what the files in the root hold, each on a line of its own.
    fn left(disk: &Disk, mut fate: Fate) -> String {
        let folder = tempfile::tempdir().unwrap();
        disk.write_to(folder.path(), &mut fate);
        let mut files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let text = fs::read(entry.path()).unwrap();
                let shown: String = text.chunks(SECTOR as usize).map(show).collect();
                format!("{} {shown}", entry.file_name().display())
            })
            .collect();
        files.sort();
        files.join("\n")
    }

    /// Shows a sector by its first byte, and an empty one by a point.
    fn show(sector: &[u8]) -> char {
        if sector[0] == 0 { '.' } else { char::from(sector[0]) }
    }

    /// Returns everything that can be left.
    fn all_left(disk: &Disk) -> Vec<String> {
        let chance = (0..300).map(|seed| Fate::Chance(Box::new(StdRng::seed_from_u64(seed))));
        let left: BTreeSet<_> = chance.map(|fate| left(disk, fate)).collect();
        left.into_iter().collect()
    }

    const fn sync(inode: Inode, begun: usize) -> Event {
        Event::Sync { inode, begun }
    }

    #[test]
    fn what_is_synced_with_its_folder_is_certain() {
        for model in [Model::Posix, Model::Journal] {
            let events = [make(ROOT, "a", 1), write(1, 0, b"x"), sync(1, 2), sync(ROOT, 3)];
            assert_eq!(all_left(&after(model, &events)), ["a x"]);
        }
    }

    #[test]
    fn a_file_whose_folder_is_not_synced_may_be_lost() {
        let events = [make(ROOT, "a", 1), write(1, 0, b"x"), sync(1, 2)];
        assert_eq!(all_left(&after(Model::Posix, &events)), ["", "a x"]);
        assert_eq!(all_left(&after(Model::Journal, &events)), ["a x"]);
        let events = [make(ROOT, "a", 1), sync(ROOT, 1), write(1, 0, b"x")];
        let disk = after(Model::Journal, &events);
        assert_eq!(left(&disk, Fate::Lost), "a ");
        assert_eq!(left(&disk, Fate::Kept), "a x");
        assert_eq!(all_left(&disk), ["a ", "a .", "a x"], "its length may be there without it");
    }

    #[test]
    fn a_write_that_a_sync_did_not_see_is_not_certain() {
        let events = [make(ROOT, "a", 1), sync(ROOT, 1), write(1, 0, b"x"), sync(1, 2)];
        assert_eq!(all_left(&after(Model::Posix, &events)), ["a ", "a .", "a x"]);
    }

    #[test]
    fn each_sector_has_a_fate_of_its_own_but_is_never_torn() {
        let mut events = vec![make(ROOT, "a", 1), write(1, 0, &[b'o'; 1024]), sync(1, 2)];
        events.extend([sync(ROOT, 3), write(1, 0, &[b'n'; 1024])]);
        let disk = after(Model::Posix, &events);
        assert_eq!(all_left(&disk), ["a nn", "a no", "a on", "a oo"]);
        let folder = tempfile::tempdir().unwrap();
        disk.write_to(folder.path(), &mut Fate::Chance(Box::new(StdRng::seed_from_u64(1))));
        let bytes = fs::read(folder.path().join("a")).unwrap();
        assert!(bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    }

    #[test]
    fn a_sector_goes_through_its_states_in_their_order() {
        let mut events = vec![make(ROOT, "a", 1), write(1, 0, b"1"), sync(1, 2), sync(ROOT, 3)];
        events.extend([write(1, 0, b"2"), write(1, 0, b"3")]);
        assert_eq!(all_left(&after(Model::Posix, &events)), ["a 1", "a 2", "a 3"]);
    }

    #[test]
    fn what_was_cut_off_comes_back_whole_or_as_nothing() {
        let mut events = vec![make(ROOT, "a", 1), write(1, 0, &[b'x'; 1024]), sync(1, 2)];
        events.extend([sync(ROOT, 3), Event::Resize { inode: 1, length: 512 }]);
        assert_eq!(all_left(&after(Model::Posix, &events)), ["a x", "a xx"]);
        events.push(Event::Resize { inode: 1, length: 1024 });
        assert_eq!(all_left(&after(Model::Posix, &events)), ["a x", "a x.", "a xx"]);
        events.push(sync(1, 6));
        assert_eq!(all_left(&after(Model::Posix, &events)), ["a x."]);
    }

    #[test]
    fn a_rename_is_whole_and_a_removal_may_be_forgotten() {
        let mut events = vec![make(ROOT, "a", 1), write(1, 0, b"1"), sync(1, 2)];
        events.extend([make(ROOT, "b", 2), write(2, 0, b"2"), sync(2, 5), sync(ROOT, 6)]);
        let mut removed = events.clone();
        events.push(rename("b", "a"));
        for model in [Model::Posix, Model::Journal] {
            assert_eq!(all_left(&after(model, &events)), ["a 1\nb 2", "a 2"]);
        }
        let remove = |name: &str| Event::Remove { folder: ROOT, name: name.to_owned() };
        removed.extend([remove("a"), remove("b")]);
        let posix = ["", "a 1", "a 1\nb 2", "b 2"];
        assert_eq!(all_left(&after(Model::Posix, &removed)), posix);
        assert_eq!(all_left(&after(Model::Journal, &removed)), ["", "a 1\nb 2", "b 2"]);
    }

    #[test]
    fn a_folder_that_is_lost_takes_along_what_is_in_it() {
        let folder = Event::Make { folder: ROOT, name: "f".to_owned(), inode: 1, is_folder: true };
        let events = [folder, make(1, "a", 2), write(2, 0, b"x"), sync(2, 3), sync(1, 4)];
        let lost = |model| {
            let folder = tempfile::tempdir().unwrap();
            after(model, &events).write_to(folder.path(), &mut Fate::Lost);
            fs::read(folder.path().join("f/a")).ok()
        };
        assert_eq!(lost(Model::Posix), None);
        assert_eq!(lost(Model::Journal), Some(b"x".to_vec()));
    }
}
