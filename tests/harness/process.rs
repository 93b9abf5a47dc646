//! The program itself, run as a process: started, told to stop, killed, refused.

use super::{Client, ROOT_ACCESS_KEY_ID, ROOT_AWS_ACCOUNT_ID, ROOT_SECRET_ACCESS_KEY, kept};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// How a process ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Checks that a process told nobody the secrets that it was told.
    fn without(self, secrets: &[String]) -> Self {
        let told =
            |secret: &&String| [&self.stdout, &self.stderr].iter().any(|it| it.contains(*secret));
        assert_eq!(secrets.iter().find(told), None, "was told by {self:?}");
        kept::keep(&self.stdout);
        kept::keep(&self.stderr);
        self
    }
}

/// A server in a process of its own; it is killed when this is dropped.
pub struct Process {
    pub address: SocketAddr,
    /// What it printed before it said where it listens.
    pub printed: String,
    child: Child,
    server: u32,
    stdout: BufReader<ChildStdout>,
    stderr: File,
    secrets: Vec<String>,
}

impl Process {
    /// Starts a server on a folder, with the root credential that the tests fix.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(with_root(&mut serve(folder)))
    }

    /// Starts what must become a server.
    pub fn start_with(command: &mut Command) -> Self {
        Self::try_start(command).unwrap_or_else(|ended| panic!("no server started: {ended:?}"))
    }

    /// Starts what may become a server, or end with a word about why not.
    #[expect(clippy::zombie_processes, reason = "a process is waited for when it is dropped")]
    pub fn try_start(command: &mut Command) -> Result<Self, Ended> {
        let mut stderr = tempfile::tempfile().unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.try_clone().unwrap());
        let secrets = secrets_of(command);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        loop {
            let begin = printed.len();
            if stdout.read_line(&mut printed).unwrap() == 0 {
                let code = child.wait().unwrap().code();
                let ended = Ended { code, stdout: printed, stderr: text_of(&mut stderr) };
                return Err(ended.without(&secrets));
            }
            if let Some(url) = printed[begin..].strip_prefix("listening on ") {
                let (_, address) = url.trim_end().split_once("://").unwrap();
                let address = address.parse().unwrap();
                printed.truncate(begin);
                kept::keep(&printed);
                let server = child.id();
                return Ok(Self { address, printed, child, server, stdout, stderr, secrets });
            }
        }
    }

    /// Says that the process started another, and that the other is the server.
    pub fn of_tracer(mut self) -> Self {
        let tracer = self.child.id();
        let children = format!("/proc/{tracer}/task/{tracer}/children");
        let children = std::fs::read_to_string(children).unwrap();
        self.server = children.trim().parse().expect("a tracer has one child");
        self
    }

    pub fn client(&self) -> Client {
        Client::of_root(self.address)
    }

    /// Waits for the next line that the server prints.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Tells the server to stop, as a supervisor would, and lets it.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Tells the server to read its certificate again.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Returns what the server has written to its log so far.
    pub fn log(&self) -> String {
        // The place in the file is the server's too, which goes on writing there.
        let mut text = vec![0; self.stderr.metadata().unwrap().len().try_into().unwrap()];
        self.stderr.read_exact_at(&mut text, 0).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Tells the server to stop, and waits until it has.
    pub fn stop(self) -> Ended {
        self.terminate();
        self.wait()
    }

    /// Ends the server without a word to it.
    pub fn kill(self) -> Ended {
        self.signal("KILL");
        self.wait()
    }

    /// Waits until the server ends.
    pub fn wait(mut self) -> Ended {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        Ended { code, stdout, stderr: text_of(&mut self.stderr) }.without(&self.secrets)
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.server);
        Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("KILL");
            self.child.wait().ok();
        }
    }
}

/// The program with an environment of its own.
pub fn campanile() -> Command {
    isolated(Command::new(env!("CARGO_BIN_EXE_campanile")))
}

/// Takes from a command what the environment of the tests would tell it.
pub fn isolated(mut command: Command) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path);
    command
}

/// The command line of a server over a folder, on any free port.
pub fn serve(folder: &Path) -> Command {
    let mut command = campanile();
    command.args(serve_arguments(folder));
    command
}

/// What follows the name of the program in [`serve`].
pub fn serve_arguments(folder: &Path) -> [String; 5] {
    let store = format!("embedded:{}", folder.display());
    ["serve", "--listen", "127.0.0.1:0", "--store", &store].map(str::to_owned)
}

/// Fixes the root credential to that of [`Client::of_root`].
pub fn with_root(command: &mut Command) -> &mut Command {
    command
        .env("CAMPANILE_ROOT_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
        .env("CAMPANILE_ROOT_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY)
        .env("CAMPANILE_ROOT_AWS_ACCOUNT_ID", ROOT_AWS_ACCOUNT_ID)
}

/// Runs a command that must not become a server to its end.
pub fn run(command: &mut Command) -> Ended {
    match Process::try_start(command) {
        Err(ended) => ended,
        Ok(process) => panic!("{command:?} became a server on {}", process.address),
    }
}

/// Returns the secrets that a command finds in its environment, without those that are too short to
/// be looked for.
fn secrets_of(command: &Command) -> Vec<String> {
    const NAMES: [(&str, &str); 5] = [
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
        ("CAMPANILE_MASTER_KEY", "MasterKey"),
        ("CAMPANILE_NEW_MASTER_KEY", "MasterKey"),
        ("CAMPANILE_ROOT_SECRET_ACCESS_KEY", "RootSecretAccessKey"),
    ];
    let mut secrets = Vec::new();
    for (name, value) in command.get_envs() {
        let kind = NAMES.iter().find(|(it, _)| name == *it);
        let value = value.and_then(|it| it.to_str()).map(str::trim);
        if let (Some((_, kind)), Some(secret)) = (kind, value.filter(|it| it.len() >= 16)) {
            // Two keys are none.
            if !secret.contains('\n') {
                kept::note_secret(kind, secret);
            }
            secrets.push(secret.to_owned());
        }
    }
    secrets
}

fn text_of(file: &mut File) -> String {
    let mut text = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
