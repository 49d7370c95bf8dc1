//! What a process has used, by /proc.

use std::fs;

/// What the server's processes have used until a moment, and hold at it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of processor time, user and system, of the process and the children it has waited for.
    pub processor: f64,
    /// Resident memory in KiB.
    pub memory: u64,
    pub files: usize,
    pub threads: usize,
}

/// Of the process and, for time, of its living children too.
pub fn of(process: u32) -> Usage {
    let mut usage = Usage { processor: time(process), ..Usage::default() };
    usage.processor += children(process).into_iter().map(time).sum::<f64>();
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

/// Seconds; the kernel counts hundredths.
fn time(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    (11..=14).map(number).sum::<f64>() / 100.0
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

/// The identifiers of a process's threads.
pub fn tasks(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}
