//! The machine: its cores, what they are busy with, and a word about it for the report.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// The core of the measured server, where it has one to itself; the load has the other.
pub const SERVER_CORE: usize = 0;
pub const LOAD_CORE: usize = 1;

/// Keeps the calling thread, and what it starts from now on, on a core.
pub fn pin_this_thread(core: usize) {
    let thread = fs::read_link("/proc/thread-self").unwrap();
    let id = thread.file_name().unwrap().to_owned();
    let core = core.to_string();
    let pinned = Command::new("taskset").args(["-pc", &core]).arg(id).output();
    assert!(pinned.unwrap().status.success(), "the bench needs a machine with two cores");
}

/// Returns a command that runs a program on one core, or on all.
pub fn command(program: &str, core: Option<usize>) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

/// Returns how long the calling thread has been running on a core.
pub fn thread_cpu_time() -> Duration {
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

/// What each core did since the machine's start.
pub struct CoreTimes(Vec<(f64, f64)>);

impl CoreTimes {
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap();
        let cores =
            stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
        let times = cores.map(|line| {
            let times: Vec<f64> =
                line.split_whitespace().skip(1).map(|time| time.parse().unwrap()).collect();
            // user nice system idle iowait irq softirq steal; what follows is part of user.
            let total: f64 = times.iter().take(8).sum();
            (total, total - times[3] - times[4])
        });
        Self(times.collect())
    }

    /// Returns how busy a core has been since.
    pub fn busy_since(&self, core: usize) -> f64 {
        let ((total, busy), (total_before, busy_before)) = (Self::now().0[core], self.0[core]);
        (busy - busy_before) / (total - total_before).max(1.0)
    }
}

/// Describes the machine and the programs in a few lines.
pub fn description(programs: &[(&str, &str)]) -> String {
    let first = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let setting = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default();
    let (kernel, tcp) = (setting("kernel/osrelease"), setting("net/ipv4/tcp_congestion_control"));
    let mut lines = vec![
        format!("cores    {cores} × {}", first("/proc/cpuinfo", "model name")),
        format!("memory   {}", first("/proc/meminfo", "MemTotal")),
        format!("kernel   Linux {}, TCP {}", kernel.trim(), tcp.trim()),
        format!("folder   {}, on {}", env!("CARGO_TARGET_TMPDIR"), file_system()),
    ];
    lines.extend(
        programs.iter().map(|(program, flag)| format!("program  {}", version(program, flag))),
    );
    lines.join("\n")
}

fn file_system() -> String {
    let found = Command::new("stat").args(["-f", "-c", "%T", env!("CARGO_TARGET_TMPDIR")]).output();
    found.map_or(String::new(), |found| String::from_utf8_lossy(&found.stdout).trim().to_owned())
}

/// Returns the first line of what a program says about its version.
fn version(program: &str, flag: &str) -> String {
    let Ok(said) = Command::new(program).arg(flag).output() else {
        return format!("{program} is not there");
    };
    let text = [said.stdout, said.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
