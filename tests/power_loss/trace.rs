//! What a program did to a folder, read from what strace wrote of its system calls.
//!
//! Whatever changes files in a way that is not understood here ends the test: a disk that has not
//! seen a write would be a lenient one. That the calls are all understood is checked in the end by
//! comparing the folder with what they should have made of it.

use super::disk::{Disk, Event, Inode, Model, ROOT};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that change files, or say where the next change goes, or tell somebody something.
const CALLS: &str = "open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,lseek,read,readv,\
    write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,truncate,ftruncate,fallocate,\
    fsync,fdatasync,sync,syncfs,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,\
    link,linkat,symlink,symlinkat,copy_file_range,sendfile,splice,mmap,io_uring_setup";

/// How the one call begins that counts from its beginning on.
const CLOSE: &str = "close(";

/// Makes the command that runs a program under strace, up to where the program's name goes.
pub fn strace(output: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(std::env::var_os("TEST_TOOLS").map(|tools| Path::new(&tools).join("strace")));
    let program = folders.iter().map(|folder| folder.join("strace")).find(|path| path.is_file());
    let program = program.expect(
        "the power-loss test needs strace: install the package strace, or set TEST_TOOLS to a \
         folder in which strace/strace is the program",
    );
    let mut command = Command::new(program);
    // Strings whole, and as hexadecimal digits; file descriptors with their paths.
    command.args(["-f", "--seccomp-bpf", "-y", "-xx", "-s", "16777216", "-e", "signal=none"]);
    command.arg("-e").arg(format!("trace={CALLS}")).arg("-o").arg(output);
    command
}

/// The events of a folder over one or several runs of a program.
#[derive(Debug)]
pub struct Recording {
    pub events: Vec<Event>,
    root: String,
    /// The folder as the program sees it.
    disk: Disk,
    open: HashMap<i64, usize>,
    opened: Vec<OpenFile>,
}

/// What file descriptors share that were duplicated.
#[derive(Debug)]
struct OpenFile {
    inode: Inode,
    offset: u64,
    appends: bool,
}

/// A call that has begun: its text up to there, and how many events there were.
struct Begun {
    text: String,
    events: usize,
}

struct Call<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    result: i64,
    begun: usize,
}

impl Recording {
    /// Begins to record what happens below a folder, with what is there now.
    pub fn of(root: &Path) -> Self {
        Self {
            events: Vec::new(),
            root: root.to_str().unwrap().to_owned(),
            disk: Disk::of(Model::Posix, root),
            open: HashMap::new(),
            opened: Vec::new(),
        }
    }

    /// Adds what one run of the program did, and checks that nothing of it was overlooked.
    pub fn add_run(&mut self, trace: &Path) {
        self.open.clear();
        let text = fs::read(trace).unwrap();
        let text = std::str::from_utf8(&text).expect("strace was asked for hexadecimal digits");
        self.add_lines(text);
        let copy = tempfile::tempdir().unwrap();
        self.disk.write_to(copy.path(), &mut super::disk::Fate::Kept);
        let (real, simulated) = (tree(Path::new(&self.root)), tree(copy.path()));
        for path in real.keys().chain(simulated.keys()) {
            let same = real.get(path) == simulated.get(path);
            assert!(same, "the trace does not explain what is in {}", path.display());
        }
    }

    fn add_lines(&mut self, text: &str) {
        let mut begun: HashMap<&str, Begun> = HashMap::new();
        for line in text.lines() {
            let (thread, line) = line.split_once(' ').unwrap();
            let line = line.trim_start();
            if line.starts_with("+++") || line.starts_with("---") {
                continue;
            }
            if let Some(text) = line.strip_suffix(" <unfinished ...>") {
                // From here on another thread may get the same number for another file, also before
                // this call is seen to end.
                if let Some(descriptor) = text.strip_prefix(CLOSE) {
                    self.open.remove(&number(descriptor));
                }
                self.tell(text);
                begun.insert(thread, Begun { text: text.to_owned(), events: self.events.len() });
            } else if let Some(resumed) = line.strip_prefix("<... ") {
                let Some(mut call) = begun.remove(thread) else {
                    panic!("never begun: {line:.80}")
                };
                if call.text.starts_with(CLOSE) {
                    continue;
                }
                call.text.push_str(resumed.split_once(" resumed>").unwrap().1);
                self.add_call(&call.text, call.events);
            } else {
                self.tell(line);
                self.add_call(line, self.events.len());
            }
        }
    }

    fn push(&mut self, event: Event) {
        self.disk.apply(&event);
        self.events.push(event);
    }

    /// Notes an answer of success, or a start, when it begins to be sent: from then on it counts.
    fn tell(&mut self, call: &str) {
        const SUCCESS: &[u8] = b"HTTP/1.1 2";
        // An answer's head is far shorter.
        const HEAD_DIGITS_MAX: usize = 4 * 1024;
        let Some((name, rest)) = call.split_once('(') else { return };
        if !matches!(name, "sendto" | "sendmsg" | "write" | "writev") {
            return;
        }
        let to_terminal = name == "write" && rest.starts_with("1<");
        let Some((_, string)) = rest.split_once('"') else { return };
        let data = hexadecimal(&string[..string.len().min(HEAD_DIGITS_MAX)]);
        let text = String::from_utf8_lossy(&data);
        if to_terminal && text.starts_with("listening on") {
            self.push(Event::Tell("listening".to_owned()));
        } else if data.starts_with(SUCCESS) {
            let head = text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            let id = head.lines().find_map(|line| line.strip_prefix("x-amzn-requestid: "));
            self.push(Event::Tell(id.expect("every answer has an id").to_owned()));
        }
    }

    fn add_call(&mut self, text: &str, begun: usize) {
        let (name, rest) = text.split_once('(').unwrap();
        if matches!(name, "sendto" | "sendmsg") {
            return;
        }
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            panic!("a call without a result: {text:.80}")
        };
        let arguments = arguments.trim_end().strip_suffix(')').unwrap();
        let digits = result.split([' ', '<']).next().unwrap();
        // A call that never came back, because the program was killed, or one that gave an address.
        let Ok(result) = digits.parse() else {
            if name == "mmap" {
                self.refuse_shared(&split(arguments));
            }
            return;
        };
        if result < 0 {
            return;
        }
        let call = Call { name, arguments: split(arguments), result, begun };
        match name {
            "open" | "openat" | "openat2" | "creat" | "close" | "dup" | "dup2" | "dup3"
            | "fcntl" => self.descriptor(&call),
            "lseek" | "read" | "readv" => self.position(&call),
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => self.write(&call),
            "truncate" | "ftruncate" | "fallocate" => self.resize(&call),
            "fsync" | "fdatasync" | "sync" | "syncfs" => self.sync(&call),
            "rename" | "renameat" | "renameat2" | "unlink" | "unlinkat" | "rmdir" | "mkdir"
            | "mkdirat" => self.name(&call),
            _ => assert!(
                name != "io_uring_setup" && !self.touches_root(&call),
                "the simulated disk does not know {name}"
            ),
        }
    }

    /// Opens, duplicates and closes file descriptors.
    fn descriptor(&mut self, call: &Call<'_>) {
        let first = call.arguments[0];
        match call.name {
            "close" => {
                self.open.remove(&number(first));
            }
            "dup" | "dup2" | "dup3" => self.duplicate(number(first), call.result),
            "fcntl" if call.arguments[1].starts_with("F_DUPFD") => {
                self.duplicate(number(first), call.result);
            }
            "fcntl" => {}
            "openat" => {
                let path = self.path(Some(first), call.arguments[1]);
                self.open(path, call.arguments[2], call.result);
            }
            "open" => self.open(self.path(None, first), call.arguments[1], call.result),
            name => assert!(!self.touches_root(call), "the simulated disk does not know {name}"),
        }
    }

    fn duplicate(&mut self, old: i64, new: i64) {
        match self.open.get(&old).copied() {
            Some(opened) => self.open.insert(new, opened),
            None => self.open.remove(&new),
        };
    }

    fn open(&mut self, path: Option<String>, flags: &str, descriptor: i64) {
        self.open.remove(&descriptor);
        let Some(path) = path else { return };
        for unknown in ["O_SYNC", "O_DSYNC", "O_TMPFILE"] {
            assert!(!flags.contains(unknown), "the simulated disk does not know {unknown}");
        }
        let (folder, name) = self.place(&path);
        let existing = if path.is_empty() { Some(ROOT) } else { self.disk.find(folder, &name) };
        let inode = existing.unwrap_or_else(|| {
            assert!(flags.contains("O_CREAT"), "{path} was opened and nobody made it");
            let inode = self.disk.next_inode();
            self.push(Event::Make { folder, name, inode, is_folder: false });
            inode
        });
        if flags.contains("O_TRUNC") && existing.is_some() {
            self.push(Event::Resize { inode, length: 0 });
        }
        self.open.insert(descriptor, self.opened.len());
        self.opened.push(OpenFile { inode, offset: 0, appends: flags.contains("O_APPEND") });
    }

    fn file(&mut self, descriptor: &str) -> Option<&mut OpenFile> {
        let opened = *self.open.get(&number(descriptor))?;
        Some(&mut self.opened[opened])
    }

    fn position(&mut self, call: &Call<'_>) {
        let result = u64::try_from(call.result).unwrap();
        if let Some(file) = self.file(call.arguments[0]) {
            file.offset = if call.name == "lseek" { result } else { file.offset + result };
        }
    }

    fn write(&mut self, call: &Call<'_>) {
        let Some(&OpenFile { inode, offset, appends }) = self.file(call.arguments[0]).as_deref()
        else {
            return;
        };
        assert!(call.name != "pwritev2", "the simulated disk does not know pwritev2");
        let mut data = strings(call.arguments[1]);
        data.truncate(usize::try_from(call.result).unwrap());
        let positioned = call.name.starts_with('p');
        let offset = match (appends, positioned) {
            (true, _) => self.disk.length(inode),
            (false, true) => call.arguments[3].parse().unwrap(),
            (false, false) => offset,
        };
        if !positioned {
            self.file(call.arguments[0]).unwrap().offset = offset + data.len() as u64;
        }
        self.push(Event::Write { inode, offset, data });
    }

    fn resize(&mut self, call: &Call<'_>) {
        let arguments = &call.arguments;
        let inode = if call.name == "truncate" {
            let Some(path) = self.path(None, arguments[0]) else { return };
            self.existing(&path)
        } else {
            let Some(file) = self.file(arguments[0]) else { return };
            file.inode
        };
        let length = if call.name == "fallocate" {
            match arguments[1] {
                "0" => {}
                "FALLOC_FL_KEEP_SIZE" => return,
                mode => panic!("the simulated disk does not know fallocate with {mode}"),
            }
            let end = arguments[2].parse::<u64>().unwrap() + arguments[3].parse::<u64>().unwrap();
            end.max(self.disk.length(inode))
        } else {
            arguments[1].parse().unwrap()
        };
        self.push(Event::Resize { inode, length });
    }

    fn sync(&mut self, call: &Call<'_>) {
        assert!(call.name.starts_with('f'), "the simulated disk does not know {}", call.name);
        if let Some(&mut OpenFile { inode, .. }) = self.file(call.arguments[0]) {
            self.push(Event::Sync { inode, begun: call.begun });
        }
    }

    /// Makes, renames and removes names.
    fn name(&mut self, call: &Call<'_>) {
        let arguments = &call.arguments;
        let (from, to) = match call.name {
            "rename" => (self.path(None, arguments[0]), self.path(None, arguments[1])),
            "renameat" | "renameat2" => {
                let flags = arguments.get(4).copied().unwrap_or("0");
                assert!(matches!(flags, "0" | "RENAME_NOREPLACE"), "renameat2 with {flags}");
                let from = self.path(Some(arguments[0]), arguments[1]);
                (from, self.path(Some(arguments[2]), arguments[3]))
            }
            "unlinkat" | "mkdirat" => (self.path(Some(arguments[0]), arguments[1]), None),
            _ => (self.path(None, arguments[0]), None),
        };
        let (Some(path), to) = (from, to) else { return };
        let (folder, name) = self.place(&path);
        if call.name.starts_with("rename") {
            let to = to.expect("nothing is renamed out of the folder");
            let (to_folder, to_name) = self.place(&to);
            self.push(Event::Rename { folder, name, to_folder, to_name });
        } else if call.name.starts_with("mkdir") {
            let inode = self.disk.next_inode();
            self.push(Event::Make { folder, name, inode, is_folder: true });
        } else {
            self.push(Event::Remove { folder, name });
        }
    }

    /// Tells whether an argument is a path or a file descriptor of the folder.
    fn touches_root(&self, call: &Call<'_>) -> bool {
        call.arguments.iter().any(|argument| {
            let (descriptor, path) = argument.split_once('<').unwrap_or((argument, ""));
            let path = if path.is_empty() { strings(argument) } else { hexadecimal(path) };
            let opened = descriptor.parse().is_ok_and(|number| self.open.contains_key(&number));
            path.starts_with(self.root.as_bytes()) || !path.is_empty() && opened
        })
    }

    fn refuse_shared(&self, arguments: &[&str]) {
        let writes = arguments[2].contains("PROT_WRITE") && arguments[3].contains("MAP_SHARED");
        let ours = arguments[4].contains('<') && self.open.contains_key(&number(arguments[4]));
        assert!(!(writes && ours), "the simulated disk does not know files mapped into memory");
    }

    /// Returns the path below the root that an argument names, with the folder it starts from.
    fn path(&self, base: Option<&str>, argument: &str) -> Option<String> {
        let mut path = String::from_utf8(strings(argument)).unwrap();
        if !path.starts_with('/') {
            let base = base?.split_once('<').unwrap().1;
            path = format!("{}/{path}", String::from_utf8(hexadecimal(base)).unwrap());
        }
        let below = path.strip_prefix(&self.root)?;
        if !below.is_empty() && !below.starts_with('/') {
            return None;
        }
        let below = below.trim_matches('/');
        let plain = below.split('/').all(|part| !matches!(part, "." | ".."));
        assert!(plain, "the path {path} is not plain");
        Some(below.to_owned())
    }

    /// Returns the folder that a path ends in, and the last name of the path.
    fn place(&self, path: &str) -> (Inode, String) {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parts = folders.split('/').filter(|part| !part.is_empty());
        let folder = parts.fold(ROOT, |folder, part| {
            self.disk.find(folder, part).unwrap_or_else(|| panic!("nobody made {path}"))
        });
        (folder, name.to_owned())
    }

    fn existing(&self, path: &str) -> Inode {
        let (folder, name) = self.place(path);
        self.disk.find(folder, &name).unwrap_or_else(|| panic!("nobody made {path}"))
    }
}

/// Splits arguments at the commas that stand in no brackets.
fn split(arguments: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (place, byte) in arguments.bytes().enumerate() {
        match byte {
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(arguments[begin..place].trim());
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(arguments[begin..].trim());
    parts
}

/// Returns the file descriptor in `13</its/path>`.
fn number(descriptor: &str) -> i64 {
    descriptor.split('<').next().unwrap().parse().unwrap()
}

/// Returns the bytes of the strings in an argument, one behind the other.
fn strings(argument: &str) -> Vec<u8> {
    let mut parts = argument.split('"');
    let mut bytes = Vec::new();
    parts.next();
    while let (Some(string), Some(behind)) = (parts.next(), parts.next()) {
        assert!(!behind.starts_with("..."), "strace cut a string off");
        bytes.extend(hexadecimal(string));
    }
    bytes
}

/// Returns the bytes that `\x6f\x6b` stands for, up to the first that is not written so.
fn hexadecimal(text: &str) -> Vec<u8> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    };
    let bytes = text.as_bytes().chunks_exact(4).take_while(|chunk| chunk.starts_with(b"\\x"));
    bytes.map(|chunk| digit(chunk[2]) << 4 | digit(chunk[3])).collect()
}

/// Returns everything in a folder by its path: the bytes of a file, or that it is a folder.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let contents = if path.is_dir() {
                folders.push(path.clone());
                None
            } else {
                Some(fs::read(&path).unwrap())
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), contents);
        }
    }
    found
}

/// Tells what happened just before a cut.
pub fn describe(events: &[Event]) -> String {
    let mut text = String::new();
    for event in &events[events.len().saturating_sub(12)..] {
        match event {
            Event::Write { inode, offset, data } => {
                writeln!(text, "  Write {} bytes at {offset} of {inode}", data.len()).unwrap();
            }
            event => writeln!(text, "  {event:?}").unwrap(),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts strings and paths into the form that strace was asked for.
    fn lines(text: &str) -> String {
        let mut lines = String::new();
        let mut until = None;
        for character in text.chars() {
            let begins_path = character == '<' && lines.ends_with(|c: char| c.is_alphanumeric());
            if until == Some(character) {
                lines.push(if character == '\'' { '"' } else { character });
                until = None;
            } else if until.is_some() {
                write!(lines, "\\x{:02x}", u32::from(character)).unwrap();
            } else if character == '\'' {
                lines.push('"');
                until = Some(character);
            } else {
                lines.push(character);
                until = begins_path.then_some('>');
            }
        }
        lines
    }

    fn events(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut recording = Recording::of(folder.path());
        recording.root = "/r".to_owned();
        recording.add_lines(&lines(text));
        let shown = |event: &Event| match event {
            Event::Write { inode, offset, data } => {
                format!("Write {} at {offset} of {inode}", String::from_utf8_lossy(data))
            }
            event => format!("{event:?}"),
        };
        recording.events.iter().map(shown).collect()
    }

    #[test]
    fn writes_go_where_the_descriptor_stands() {
        let found = events(
            "\
1 openat(AT_FDCWD</x>, '/r/a', O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3</r/a>
1 write(3</r/a>, 'one', 3) = 3
1 fcntl(3</r/a>, F_DUPFD_CLOEXEC, 3) = 5</r/a>
1 write(5</r/a>, 'two', 3) = 2
1 lseek(3</r/a>, 1, SEEK_SET) = 1
1 writev(5</r/a>, [{iov_base='x', iov_len=1}, {iov_base='y', iov_len=1}], 2) = 2
1 read(3</r/a>, 'etw', 10) = 2
1 write(3</r/a>, 'z', 1) = 1
1 pwrite64(3</r/a>, 'far', 3, 100) = 3
1 write(3</r/a>, 'q', 1) = 1
1 close(3</r/a>) = 0
1 openat(AT_FDCWD</x>, '/r/a', O_WRONLY|O_APPEND) = 3</r/a>
1 write(3</r/a>, 'end', 3) = 3
1 ftruncate(3</r/a>, 200) = 0
1 write(3</r/a>, '', 0) = -1 ENOSPC (No space left on device)
1 fdatasync(3</r/a>) = 0
1 openat(AT_FDCWD</x>, '/elsewhere', O_WRONLY) = 3</elsewhere>
1 write(3</elsewhere>, 'no', 2) = 2
",
        );
        let expected = [
            r#"Make { folder: 0, name: "a", inode: 1, is_folder: false }"#,
            "Write one at 0 of 1",
            "Write tw at 3 of 1",
            "Write xy at 1 of 1",
            "Write z at 5 of 1",
            "Write far at 100 of 1",
            "Write q at 6 of 1",
            "Write end at 103 of 1",
            "Resize { inode: 1, length: 200 }",
            "Sync { inode: 1, begun: 9 }",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_call_that_others_interrupt_counts_from_where_it_must() {
        let found = events(
            "\
1 mkdir('/r/f', 0700) = 0
1 openat(AT_FDCWD</x>, '/r/f/a', O_WRONLY|O_CREAT, 0666) = 3</r/f/a>
1 fsync(3</r/f/a> <unfinished ...>
2 write(3</r/f/a>, 'late', 4) = 4
1 <... fsync resumed>)             = 0
1 sendto(9<socket:[1]>, 'HTTP/1.1 201 Created\r\nx-amzn-RequestId: ID\r\n\r\n{}', 9, 0, NULL, 0 <unfinished ...>
2 rename('/r/f/a', '/r/b') = 0
1 <... sendto resumed>) = 9
2 sendto(9<socket:[1]>, 'HTTP/1.1 404 Not Found\r\n\r\n', 9, 0, NULL, 0) = 9
2 write(1<pipe:[2]>, 'listening on http://x', 20) = 20
2 unlinkat(AT_FDCWD</r>, 'f', AT_REMOVEDIR) = 0
2 unlink('/r/c') = -1 ENOENT (No such file or directory)
1 +++ exited with 0 +++
",
        );
        let expected = [
            r#"Make { folder: 0, name: "f", inode: 1, is_folder: true }"#,
            r#"Make { folder: 1, name: "a", inode: 2, is_folder: false }"#,
            "Write late at 0 of 2",
            "Sync { inode: 2, begun: 2 }",
            r#"Tell("id")"#,
            r#"Rename { folder: 1, name: "a", to_folder: 0, to_name: "b" }"#,
            r#"Tell("listening")"#,
            r#"Remove { folder: 0, name: "f" }"#,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_descriptor_is_free_from_when_its_close_begins() {
        let found = events(
            "\
1 openat(AT_FDCWD</x>, '/r/a', O_WRONLY|O_CREAT, 0666) = 3</r/a>
1 close(3</r/a> <unfinished ...>
2 openat(AT_FDCWD</x>, '/r/b', O_WRONLY|O_CREAT, 0666) = 3</r/b>
1 <... close resumed>)             = 0
2 write(3</r/b>, 'kept', 4) = 4
2 fsync(3</r/b>) = 0
",
        );
        assert_eq!(found[2..], ["Write kept at 0 of 2", "Sync { inode: 2, begun: 3 }"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for call in [
            "copy_file_range(3</r/a>, NULL, 3</r/a>, NULL, 5, 0) = 5",
            "link('/r/a', '/r/b') = 0",
            "mmap(NULL, 9, PROT_READ|PROT_WRITE, MAP_SHARED, 3</r/a>, 0) = 0x7f",
            "fallocate(3</r/a>, FALLOC_FL_PUNCH_HOLE, 0, 9) = 0",
            "sync() = 0",
            "openat(AT_FDCWD</x>, '/r/a', O_WRONLY|O_DSYNC) = 4</r/a>",
            "io_uring_setup(8, {flags=0}) = 5<anon_inode:[io_uring]>",
        ] {
            let open = "1 openat(AT_FDCWD</x>, '/r/a', O_RDWR|O_CREAT, 0666) = 3</r/a>";
            let text = format!("{open}\n1 {call}\n");
            assert!(std::panic::catch_unwind(|| events(&text)).is_err(), "{call}");
        }
    }
}
