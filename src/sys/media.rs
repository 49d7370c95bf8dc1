//! What the media threads ask of the operating system: word of the sockets at which a datagram waits,
//! beats a millisecond apart, and to be run before everything else.
//!
//! Nothing here allocates or blocks, except [`Metronome::wait`], which sleeps.

use std::{
    io, mem,
    net::UdpSocket,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr, thread,
    time::Duration,
};

/// Beats left out are a multiple of this, so that whoever counts in rounds keeps the place.
const ROUND: u64 = 20;

/// Sockets at which nothing waits just now, and that need not be asked one by one: each is told of once
/// when something comes, and then no more until it is watched again. One that is closed is forgotten.
pub struct Watch {
    queue: OwnedFd,
    found: [libc::epoll_event; FOUND],
}

/// Sockets told of by one look; the others are told of by the next.
const FOUND: usize = 128;

impl Watch {
    /// Watches nothing.
    ///
    /// # Errors
    /// The process has as many descriptors as it may have.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let queue = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if queue == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was opened above, and nobody else has it.
        let queue = unsafe { OwnedFd::from_raw_fd(queue) };
        Ok(Self { queue, found: [libc::epoll_event { events: 0, u64: 0 }; FOUND] })
    }

    /// Tells of this socket by that number as soon as something waits there; at once, if it does
    /// already. Whether that was possible: if not, the socket must be looked at.
    pub fn watch(&self, socket: &UdpSocket, number: u64) -> bool {
        // Most were watched before.
        self.control(libc::EPOLL_CTL_MOD, socket, number)
            || self.control(libc::EPOLL_CTL_ADD, socket, number)
    }

    fn control(&self, what: libc::c_int, socket: &UdpSocket, number: u64) -> bool {
        let events = (libc::EPOLLIN | libc::EPOLLONESHOT) as u32;
        let mut event = libc::epoll_event { events, u64: number };
        // SAFETY: the event outlives the call, which only reads it.
        unsafe {
            libc::epoll_ctl(self.queue.as_raw_fd(), what, socket.as_raw_fd(), &mut event) == 0
        }
    }

    /// The numbers of sockets at which something waits. Does not wait itself.
    pub fn look(&mut self) -> impl Iterator<Item = u64> {
        // SAFETY: there is room for as many events as told.
        let count = unsafe {
            let (queue, room) = (self.queue.as_raw_fd(), FOUND as libc::c_int);
            libc::epoll_wait(queue, self.found.as_mut_ptr(), room, 0)
        };
        let found = self.found;
        found.into_iter().take(usize::try_from(count).unwrap_or(0)).map(|it| it.u64)
    }
}

/// Has the processor fetch what is used in a moment, so that nobody waits for memory then. It reads
/// nothing that could be seen.
pub fn fetch<T>(soon: &T) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address lies in `soon`, and a prefetch of any address at all faults not.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::from_ref(soon).cast::<i8>().add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = soon;
}

/// Beats once a millisecond, or as often as it is waited for, by a clock that nobody sets.
pub struct Metronome {
    /// Nanoseconds on the monotonic clock at which beat 0 was.
    origin: u64,
    last: u64,
}

/// One beat.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// Milliseconds since the metronome was started.
    pub at: u64,
    /// How much too late it came.
    pub late: Duration,
}

impl Metronome {
    /// Late by more than this, beats are left out instead of made up for.
    pub const GIVE_UP: Duration = Duration::from_millis(200);

    /// Starts now.
    pub fn start() -> Self {
        Self { origin: monotonic(), last: 0 }
    }

    /// Sleeps until so many beats after the last one; `None` when the thread was unparked before. One that
    /// is late comes at once, so that none that is wanted is left out; but after a very long stop a whole
    /// number of 20 ms is.
    pub fn wait(&mut self, beats: u64) -> Option<Beat> {
        let due = self.origin + (self.last + beats) * 1_000_000;
        let early = due.saturating_sub(monotonic());
        if early > 0 {
            thread::park_timeout(Duration::from_nanos(early));
        }
        let now = monotonic();
        if now < due {
            self.resume();
            return None;
        }
        self.last += beats;
        let late = Duration::from_nanos(now - due);
        if late > Self::GIVE_UP {
            self.last += late.as_millis() as u64 / ROUND * ROUND;
        }
        Some(Beat { at: self.last, late })
    }

    /// Goes on after an intended stop: the beats in between are not late, they were not wanted.
    pub fn resume(&mut self) {
        self.last = (monotonic() - self.origin) / 1_000_000;
    }

    /// The time by the last beat, in milliseconds since the start.
    pub fn now(&self) -> u64 {
        self.last
    }
}

fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Asks that the calling thread runs before all ordinary ones (`SCHED_FIFO`, not inherited). When
/// this is refused it asks for a better nice value instead, and answers why it was refused.
pub fn run_first() -> io::Result<()> {
    const PRIORITY: libc::c_int = 20;
    const NICE: libc::c_int = -15;
    // SAFETY: the structure is plain integers, zero is valid, and 0 names the calling thread.
    let refused = unsafe {
        let mut wanted: libc::sched_param = mem::zeroed();
        wanted.sched_priority = PRIORITY;
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &wanted)
    };
    if refused == 0 {
        return Ok(());
    }
    let why = io::Error::last_os_error();
    // SAFETY: no pointers; on Linux 0 names the calling thread. A second refusal changes nothing.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_come_one_by_one_and_never_early() {
        let mut metronome = Metronome::start();
        let begun = monotonic();
        for expected in 1..=50 {
            let beat = metronome.wait(1).unwrap();
            // A machine that stood still for long enough leaves out whole rounds.
            assert_eq!(beat.at % ROUND, expected % ROUND);
            assert!(monotonic() - begun + 1_000_000 >= beat.at * 1_000_000);
        }
    }

    #[test]
    fn whoever_is_unparked_wakes_before_the_beat_and_misses_none() {
        let mut metronome = Metronome::start();
        thread::current().unpark();
        assert!(metronome.wait(600_000).is_none());
        let now = metronome.now();
        assert_eq!(metronome.wait(3).unwrap().at, now + 3);
    }

    #[test]
    fn a_watched_socket_is_told_of_once_and_then_only_after_it_is_watched_again() {
        let (one, other) =
            (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
        let mut watch = Watch::new().unwrap();
        assert!(watch.watch(&other, 7));
        assert_eq!(watch.look().count(), 0);
        one.send_to(b"x", other.local_addr().unwrap()).unwrap();
        assert_eq!(watch.look().collect::<Vec<_>>(), [7]);
        assert_eq!(watch.look().count(), 0);
        assert!(watch.watch(&other, 9));
        assert_eq!(watch.look().collect::<Vec<_>>(), [9], "it still waits there");
    }
}
