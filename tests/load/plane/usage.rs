//! What a process has used, by /proc.

use std::fs;
use std::net::Ipv4Addr;

/// What the server's processes have used until a moment, and hold at it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of processor time, user and system, of the process and the children it has waited for.
    pub processor: f64,
    /// The children's part of it.
    pub helpers: f64,
    /// Resident memory in KiB.
    pub memory: u64,
    pub files: usize,
    pub threads: usize,
}

/// Of the process and, for time, of its living children too.
pub fn of(process: u32) -> Usage {
    let (own, past) = time(process);
    let living = children(process).into_iter().map(|it| time(it).0).sum::<f64>();
    let helpers = past + living;
    let mut usage = Usage { processor: own + helpers, helpers, ..Usage::default() };
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|it| it.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    usage.memory = number("VmRSS:").unwrap_or(0);
    usage.threads = number("Threads:").unwrap_or(0) as usize;
    usage.files = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
    usage
}

/// Seconds of a process, and of the children it has waited for; the kernel counts hundredths.
fn time(process: u32) -> (f64, f64) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    ((number(11) + number(12)) / 100.0, (number(13) + number(14)) / 100.0)
}

fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let told = tasks.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    told.flat_map(|it| it.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Seconds of processor time of each thread, by its name.
pub fn threads(process: u32) -> Vec<(String, f64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut found: Vec<(String, f64)> = Vec::new();
    for task in tasks {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let name = read("comm").trim().to_owned();
        let run = read("schedstat");
        let seconds =
            run.split(' ').next().and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0) / 1e9;
        match found.iter_mut().find(|it| it.0 == name) {
            Some(same) => same.1 += seconds,
            None => found.push((name, seconds)),
        }
    }
    found
}

/// The identifiers of a process's threads of that name.
pub fn named(process: u32, name: &str) -> Vec<u32> {
    let comm = |task: u32| fs::read_to_string(format!("/proc/{process}/task/{task}/comm"));
    let is_named = |task: &u32| comm(*task).is_ok_and(|it| it.trim() == name);
    tasks(process).into_iter().filter(is_named).collect()
}

/// The identifiers of a process's threads.
pub fn tasks(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}

/// Packets that the kernel dropped before anybody could read them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dropped {
    /// At sockets of an address, because they were full.
    pub full: u64,
    /// On their way from one socket to another.
    pub between: u64,
}

impl Dropped {
    /// What was added to an earlier count.
    pub fn since(self, before: Self) -> Self {
        // Sockets that are gone took their count with them.
        let full = self.full.saturating_sub(before.full);
        Self { full, between: self.between.saturating_sub(before.between) }
    }
}

/// Until now.
pub fn dropped(ip: Ipv4Addr) -> Dropped {
    // As the kernel writes addresses: in the order of this machine.
    let own = format!("{:08X}:", u32::from_ne_bytes(ip.octets()));
    let sockets = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let of = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let is_own = fields.next()?.starts_with(&own);
        is_own.then(|| fields.last()?.parse::<u64>().ok())?
    };
    let processors = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    let between = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    Dropped {
        full: sockets.lines().filter_map(of).sum(),
        between: processors.lines().filter_map(between).sum(),
    }
}

/// What a setting of the kernel is.
pub fn kernel(name: &str) -> u64 {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok().and_then(|it| it.trim().parse().ok()).unwrap_or(0)
}
