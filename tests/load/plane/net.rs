//! Sockets as a load tool needs them: many datagrams by one call, and when the kernel had each of them.
#![allow(
    unsafe_code,
    reason = "batched socket calls, priorities and pinning, which std does not offer"
)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

/// Datagrams moved by one call.
pub const BATCH: usize = 64;
/// Bytes kept of a datagram.
const LONGEST: usize = 2_048;
/// What a socket may hold, in bytes: a second of everything.
const ROOM: libc::c_int = 32 << 20;
/// Room for a time stamp beside a datagram.
const BESIDE: usize = 64;

/// An address of this machine that no other process takes for the same part: several may run at once.
pub fn own_address(part: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, part, high, low)
}

/// A socket that notes when the kernel had each datagram.
pub fn bind(ip: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, port))?;
    socket.set_nonblocking(true)?;
    set(&socket, libc::SO_TIMESTAMPNS, 1)?;
    // Only the administrator may have more than the system's limit.
    if set(&socket, libc::SO_RCVBUFFORCE, ROOM).is_err() {
        set(&socket, libc::SO_RCVBUF, ROOM)?;
    }
    Ok(socket)
}

fn set(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value outlives the call and is as long as told.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&value).cast(),
            length,
        )
    })
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes what waits at a socket.
pub struct Inbox {
    buffers: Box<[[u8; LONGEST]; BATCH]>,
    beside: Box<[[u64; BESIDE / 8]; BATCH]>,
    taken: Vec<(SocketAddrV4, u64, usize)>,
}

impl Default for Inbox {
    fn default() -> Self {
        let beside = Box::new([[0; BESIDE / 8]; BATCH]);
        Self { buffers: Box::new([[0; LONGEST]; BATCH]), beside, taken: Vec::new() }
    }
}

impl Inbox {
    /// Takes up to [`BATCH`] datagrams; how many there were.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: plain C structures of integers and pointers; all zero is valid.
        let mut names: [libc::sockaddr_in; BATCH] = unsafe { mem::zeroed() };
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        let mut slices = [libc::iovec { iov_base: ptr::null_mut(), iov_len: LONGEST }; BATCH];
        for at in 0..BATCH {
            slices[at].iov_base = self.buffers[at].as_mut_ptr().cast();
            let header = &mut headers[at].msg_hdr;
            header.msg_name = ptr::from_mut(&mut names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as _;
            header.msg_iov = &raw mut slices[at];
            header.msg_iovlen = 1;
            header.msg_control = self.beside[at].as_mut_ptr().cast();
            header.msg_controllen = BESIDE as _;
        }
        // SAFETY: every pointer above leads to memory that outlives the call and is so long.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        self.taken.clear();
        for at in 0..usize::try_from(count).unwrap_or(0) {
            let name = &names[at];
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            let from = SocketAddrV4::new(ip, u16::from_be(name.sin_port));
            let length = (headers[at].msg_len as usize).min(LONGEST);
            self.taken.push((from, stamp(&headers[at].msg_hdr), length));
        }
        self.taken.len()
    }

    /// Who sent it, when it was there by the clock of the day in nanoseconds, and its bytes.
    pub fn datagram(&self, at: usize) -> (SocketAddrV4, u64, &[u8]) {
        let (from, stamp, length) = self.taken[at];
        (from, stamp, &self.buffers[at][..length])
    }
}

fn stamp(header: &libc::msghdr) -> u64 {
    // SAFETY: the kernel has filled the control buffer; CMSG_FIRSTHDR looks at its length.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    if first.is_null() {
        return now();
    }
    // SAFETY: it is a whole header, and of this kind it is followed by a timespec.
    unsafe {
        if (*first).cmsg_level != libc::SOL_SOCKET || (*first).cmsg_type != libc::SCM_TIMESTAMPNS {
            return now();
        }
        nanoseconds(&ptr::read_unaligned(libc::CMSG_DATA(first).cast::<libc::timespec>()))
    }
}

/// Sends many packets from one socket by one call: a header of their own and sound that is shared.
#[derive(Default)]
pub struct Outbox {
    packets: Vec<([u8; 12], SocketAddrV4, &'static [u8])>,
}

impl Outbox {
    pub fn push(&mut self, to: SocketAddrV4, header: [u8; 12], sound: &'static [u8]) {
        self.packets.push((header, to, sound));
    }

    /// Sends them all; how many the system did not take.
    pub fn flush(&mut self, socket: &UdpSocket) -> usize {
        let mut unsent = 0;
        for some in self.packets.chunks_mut(BATCH) {
            unsent += some.len() - send(socket, some);
        }
        self.packets.clear();
        unsent
    }
}

fn send(socket: &UdpSocket, packets: &mut [([u8; 12], SocketAddrV4, &'static [u8])]) -> usize {
    // SAFETY: plain C structures of integers and pointers; all zero is valid.
    let mut names: [libc::sockaddr_in; BATCH] = unsafe { mem::zeroed() };
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
    let mut slices = [[libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; 2]; BATCH];
    for (at, (header, to, sound)) in packets.iter_mut().enumerate() {
        names[at].sin_family = libc::AF_INET as _;
        names[at].sin_port = to.port().to_be();
        names[at].sin_addr.s_addr = u32::from(*to.ip()).to_be();
        slices[at][0] = libc::iovec { iov_base: header.as_mut_ptr().cast(), iov_len: header.len() };
        slices[at][1] =
            libc::iovec { iov_base: sound.as_ptr().cast_mut().cast(), iov_len: sound.len() };
        let message = &mut headers[at].msg_hdr;
        message.msg_name = ptr::from_mut(&mut names[at]).cast();
        message.msg_namelen = size_of::<libc::sockaddr_in>() as _;
        message.msg_iov = slices[at].as_mut_ptr();
        message.msg_iovlen = 2;
    }
    // SAFETY: every pointer above leads to memory that outlives the call; sending only reads it.
    let count = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), packets.len() as libc::c_uint, 0)
    };
    usize::try_from(count).unwrap_or(0)
}

/// The time of day in nanoseconds, by the clock that stamps datagrams.
pub fn now() -> u64 {
    clock(libc::CLOCK_REALTIME)
}

/// Nanoseconds by a clock that nobody sets.
pub fn monotonic() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec; both clocks always exist.
    unsafe { libc::clock_gettime(which, &mut time) };
    nanoseconds(&time)
}

fn nanoseconds(time: &libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps until that moment of [`monotonic`].
pub fn sleep_until(moment: u64) {
    let time = libc::timespec {
        tv_sec: (moment / 1_000_000_000) as _,
        tv_nsec: (moment % 1_000_000_000) as _,
    };
    // SAFETY: reads one timespec; with an absolute time there is no remainder to write.
    unsafe {
        libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &time, ptr::null_mut())
    };
}

/// Lets a thread (0 is the calling one) run on that processor only.
pub fn pin(thread: u32, processor: usize) -> io::Result<()> {
    // SAFETY: the set is plain bits, zero is valid, and it outlives the call.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        checked(libc::sched_setaffinity(thread as libc::pid_t, size_of_val(&set), &set))
    }
}

/// Lets this thread, and none it makes, run before ordinary ones; whether that was granted.
pub fn run_first() -> bool {
    let wanted = libc::sched_param { sched_priority: 20 };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 names the caller, and the parameter outlives the call.
    unsafe { libc::sched_setscheduler(0, policy, &raw const wanted) == 0 }
}

/// Whether a thread runs before ordinary ones.
pub fn runs_first(thread: u32) -> bool {
    // SAFETY: only asks.
    let policy = unsafe { libc::sched_getscheduler(thread as libc::pid_t) };
    policy != -1 && policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_FIFO
}

/// Lets this process, and those it starts, open so many files, as far as the system does; how many
/// they may.
pub fn files(wanted: u64) -> u64 {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one structure.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut now) };
    if now.rlim_cur >= wanted {
        return now.rlim_cur;
    }
    // Only the administrator may have more than the highest.
    let highest = now.rlim_max;
    for (some, most) in [(wanted, highest.max(wanted)), (highest.min(wanted), highest)] {
        let limit = libc::rlimit { rlim_cur: some, rlim_max: most };
        // SAFETY: reads one structure.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
            return some;
        }
    }
    now.rlim_cur
}
