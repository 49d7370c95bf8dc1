//! What a process may use, and how politely: for workers that run native code on strangers' bytes.
//!
//! Everything here binds the calling process for good; nothing takes a right back.

use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus};

/// What a worker may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space in bytes; an allocation beyond it fails.
    pub memory: u64,
    /// Open descriptors, the three standard ones included.
    pub files: u64,
    /// Processor time in seconds; who uses more is ended. `None` for those that work as long as
    /// they are asked.
    pub seconds: Option<u64>,
}

/// Puts this process behind everybody else's work (`SCHED_BATCH`, nice 19), bounds what it can
/// use, and takes away what it never needs: writing files, dumping core, gaining rights.
///
/// Call it before any thread is started: priorities belong to threads and are inherited.
pub fn confine(limits: Limits) -> io::Result<()> {
    step_back()?;
    bound(libc::RLIMIT_AS, limits.memory)?;
    bound(libc::RLIMIT_NOFILE, limits.files)?;
    bound(libc::RLIMIT_FSIZE, 0)?;
    limits.seconds.map_or(Ok(()), |it| bound(libc::RLIMIT_CPU, it))?;
    bound(libc::RLIMIT_CORE, 0)?;
    // A core handler behind a pipe ignores RLIMIT_CORE, and a dump would hold a stranger's voice.
    set(libc::PR_SET_DUMPABLE, 0)?;
    set(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Keeps what many threads have freed in one place, where all of them take it from again, and gives large
/// pieces back at once: a server with dozens of threads, each of which now and then holds a recording,
/// otherwise keeps dozens of such places, with holes of that size in them.
///
/// Call it before any thread is started.
#[cfg(target_env = "gnu")]
pub fn share_freed_memory() {
    const PLACES: libc::c_int = 2;
    const LARGE: libc::c_int = 128 * 1024;
    // SAFETY: it takes two numbers; one that it does not like it ignores.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, PLACES);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Other C libraries do so by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn share_freed_memory() {}

/// Lets this process open as many files as whoever started it allows at all: each call has two sockets, and
/// many shells allow 1,024 unless asked.
pub fn open_many_files() -> io::Result<()> {
    bound(libc::RLIMIT_NOFILE, u64::MAX)
}

/// Whether a process ended because somebody else wanted it to end in an orderly way.
pub fn was_told_to_end(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(libc::SIGTERM | libc::SIGINT | libc::SIGHUP))
}

/// Whose rights this process has: the number of its effective user.
pub fn user() -> u32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Ends this process now: no destructor runs, no other thread is waited for.
pub fn leave(status: i32) -> ! {
    // SAFETY: `_exit` takes any status and does not return.
    unsafe { libc::_exit(status) }
}

/// Ends a process group that we have made, with all that is in it. One that is gone is no error.
pub fn end_group(leader: u32) {
    let Ok(leader @ 2..) = libc::pid_t::try_from(leader) else { return };
    // SAFETY: plain integers; a negative number names the group, and it is neither ours (0) nor
    // everybody (-1).
    let _ = unsafe { libc::kill(-leader, libc::SIGKILL) };
}

fn step_back() -> io::Result<()> {
    let plain = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names the caller, and the parameter outlives the call.
    checked(unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const plain) })?;
    // SAFETY: plain integers; 0 names the caller.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) })
}

/// Sets one limit, soft and hard; a hard limit already below stays, and is the soft one then.
fn bound(what: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    checked(unsafe { libc::getrlimit(what, &raw mut limit) })?;
    limit.rlim_max = limit.rlim_max.min(most);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is valid for reading.
    checked(unsafe { libc::setrlimit(what, &raw const limit) })
}

fn set(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: both options used take integers only; the kernel wants the unused ones to be zero.
    checked(unsafe { libc::prctl(option, value, 0u64, 0u64, 0u64) })
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
