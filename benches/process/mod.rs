//! What processes have cost so far.

/// User and system time of a process so far, in seconds (the kernel counts hundredths).
pub(crate) fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// The worker: our only child.
pub(crate) fn child() -> String {
    let parent = std::process::id().to_string();
    let is_ours = |process: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let state_and_parent = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = state_and_parent.split_whitespace();
        fields.next() != Some("Z") && fields.next() == Some(&parent)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut names = processes.filter_map(|it| it.file_name().into_string().ok());
    names.find(is_ours).expect("the worker is there")
}
