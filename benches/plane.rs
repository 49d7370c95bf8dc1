//! What the media plane costs against a bare loop that makes the same system calls on the same sockets.
//!
//! Two scenes: thousands who only listen, by one socket that they share, and thousands who are recorded. Each is run by the plane and then by a
//! loop with nothing in it but the calls; the figure is packets per second of processor time, as the
//! kernel counts it for the one thread that moves them. The load tool has it in its table.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]
#![allow(dead_code, unreachable_pub, reason = "the sockets are shared with the load tool")]
#![expect(unsafe_code, reason = "the bare loop is made of system calls")]

#[allow(clippy::duplicate_mod, reason = "the load tool has it for itself as well")]
#[path = "../tests/load/plane/net.rs"]
mod net;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use afterbeep::audio::{Clip, Codec};
use afterbeep::rtp::{Leg, Plane, Ports, Recorder, Settings, Stream};

/// Calls at once, and seconds that are measured.
pub const LEGS: usize = 2_000;
const SECONDS: u64 = 5;
/// What the plane reaches of the bare loop, as promised.
pub const TARGET: f64 = 0.70;
const PHONES: usize = 80;
const PORTS: Ports = Ports { first: 10_000, last: 19_999 };
const MS: u64 = 1_000_000;
/// What a packet of 20 ms has in G.711.
static SOUND: [u8; 160] = [0x7f; 160];
/// Turns in 20 ms, and milliseconds between two looks at a socket that is recorded.
const PHASES: u64 = 20;
const RECORDS_MS: u64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    Listen,
    Record,
}

/// Packets moved, and the time that took.
struct Moved {
    packets: u64,
    seconds: f64,
}

/// What the plane does of what a bare loop does.
pub struct Ratio {
    scene: Scene,
    /// Packets per second of processor time.
    plane: f64,
    bare: f64,
}

impl Ratio {
    pub fn scene(&self) -> &'static str {
        match self.scene {
            Scene::Listen => "packets a CPU-second, sent",
            Scene::Record => "packets a CPU-second, taken",
        }
    }

    pub fn value(&self) -> f64 {
        self.plane / self.bare
    }
}

fn main() -> ExitCode {
    if !std::env::args().any(|it| it == "--bench") {
        return ExitCode::SUCCESS;
    }
    // Two to a leg, and as many of the phones.
    net::files(4 * LEGS as u64);
    println!("{:<28} {:>10} {:>10} {:>6}", "", "plane", "bare loop", "ratio");
    let mut good = true;
    for ratio in figures() {
        let Ratio { plane, bare, .. } = ratio;
        let (scene, value) = (ratio.scene(), ratio.value());
        let verdict = if value >= TARGET { "met" } else { "MISSED" };
        println!("{scene:<28} {plane:>10.0} {bare:>10.0} {value:>6.2}  >= {TARGET}: {verdict}");
        good &= value >= TARGET;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Both scenes, each by the plane and then by the loop.
pub fn figures() -> Vec<Ratio> {
    let phones: Vec<_> = (0..PHONES)
        .map(|at| net::bind(net::own_address(80), 31_000 + 2 * at as u16).unwrap())
        .collect();
    let figure = |scene| {
        let (plane, ports) = by_plane(scene, &phones);
        let bare = by_loop(scene, &phones, &ports);
        let rate = |it: &Moved| it.packets as f64 / it.seconds;
        Ratio { scene, plane: rate(&plane), bare: rate(&bare) }
    };
    [Scene::Listen, Scene::Record].map(figure).into()
}

/// The server's end of all calls.
fn here() -> Ipv4Addr {
    net::own_address(79)
}

fn by_plane(scene: Scene, phones: &[UdpSocket]) -> (Moved, Vec<u16>) {
    // Its thread begins where we are.
    net::pin(0, 0).ok();
    let settings = Settings { ports: PORTS, timeout: Duration::ZERO, ..Settings::default() };
    let plane = Plane::start(&settings).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let media = threads("media-0")[0];
    net::pin(0, 1).ok();
    let clip = Arc::new(Clip::new("noise", &vec![9_000; 8_000 * 60]));
    let mut rings = Vec::new();
    let legs: Vec<Leg> = (0..LEGS)
        .map(|at| {
            let opened = match scene {
                Scene::Listen => plane.open_deaf(IpAddr::V4(here())),
                Scene::Record => plane.open(IpAddr::V4(here())),
            };
            let leg = opened.unwrap();
            leg.connect(stream(scene, phones[at % PHONES].local_addr().unwrap())).unwrap();
            match scene {
                Scene::Listen => leg.play(vec![clip.clone()], 1),
                Scene::Record => {
                    let (recorder, ring) = Recorder::new(Codec::Pcmu, u64::MAX);
                    leg.record(recorder);
                    rings.push(ring);
                }
            }
            leg
        })
        .collect();
    let ports: Vec<u16> = legs.iter().map(|it| it.local().port()).collect();
    let count = || match scene {
        Scene::Listen => plane.counters().sent,
        Scene::Record => plane.counters().received,
    };
    let mut other = Other::new(scene, phones, &ports);
    let empty = |_: u64| {
        rings.iter_mut().for_each(|it| _ = it.take());
    };
    let mut empty = empty;
    other.run(1, &mut empty);
    let (before, spent) = (count(), processor(media));
    other.run(SECONDS, &mut empty);
    let moved = Moved { packets: count() - before, seconds: processor(media) - spent };
    drop(legs);
    plane.stop();
    (moved, ports)
}

fn stream(scene: Scene, remote: SocketAddr) -> Stream {
    Stream {
        remote,
        remote_rtcp: None,
        signalling: remote.ip(),
        codec: Codec::Pcmu,
        payload_type: 0,
        payload_type_in: 0,
        telephone_event: Some(101),
        telephone_event_in: Some(101),
        event_clock: 8_000,
        ptime_ms: 20,
        send: true,
        receive: scene == Scene::Record,
        keys: None,
    }
}

/// The other side of all calls: takes what is sent, or sends what is to be recorded.
struct Other<'a> {
    scene: Scene,
    phones: &'a [UdpSocket],
    ports: &'a [u16],
    inbox: net::Inbox,
    outbox: net::Outbox,
    round: u32,
}

impl<'a> Other<'a> {
    fn new(scene: Scene, phones: &'a [UdpSocket], ports: &'a [u16]) -> Self {
        let (inbox, outbox) = (net::Inbox::default(), net::Outbox::default());
        Self { scene, phones, ports, inbox, outbox, round: 0 }
    }

    fn run(&mut self, seconds: u64, each_second: &mut dyn FnMut(u64)) {
        let origin = net::monotonic();
        for step in 0..seconds * 1_000 {
            net::sleep_until(origin + step * MS);
            match self.scene {
                Scene::Listen => self.take(step),
                Scene::Record => self.send(step),
            }
            if step % 500 == 499 {
                each_second(step);
            }
        }
    }

    fn take(&mut self, step: u64) {
        for phone in self.phones.iter().skip(step as usize % 4).step_by(4) {
            while self.inbox.receive(phone) == net::BATCH {}
        }
    }

    /// A twentieth of the phones say their next packet, each to all of its calls.
    fn send(&mut self, step: u64) {
        let each = PHONES / PHASES as usize;
        let phase = (step % PHASES) as usize;
        self.round += u32::from(phase == 0);
        for phone in phase * each..(phase + 1) * each {
            for port in self.ports.iter().skip(phone).step_by(PHONES) {
                let mut header = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
                header[2..4].copy_from_slice(&(self.round as u16).to_be_bytes());
                header[4..8].copy_from_slice(&(self.round * 160).to_be_bytes());
                self.outbox.push(SocketAddrV4::new(here(), *port), header, &SOUND);
            }
            self.outbox.flush(&self.phones[phone]);
        }
    }
}

/// The same system calls, and nothing else.
fn by_loop(scene: Scene, phones: &[UdpSocket], ports: &[u16]) -> Moved {
    let sockets: Vec<_> = ports
        .iter()
        .take(if scene == Scene::Listen { 1 } else { ports.len() })
        .map(|port| {
            let socket = socket2::Socket::from(UdpSocket::bind((here(), *port)).unwrap());
            socket.set_recv_buffer_size(256 * 1024).ok();
            socket.set_tos_v4(46 << 2).ok();
            socket.set_nonblocking(true).unwrap();
            UdpSocket::from(socket)
        })
        .collect();
    let listeners: Vec<_> =
        ports.iter().zip(phones.iter().cycle()).map(|(_, it)| it.local_addr().unwrap()).collect();
    let (stop, packets) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let bare = scope.spawn(|| {
            net::pin(0, 0).ok();
            net::run_first();
            match scene {
                Scene::Listen => beat(&stop, &packets, tell(&sockets[0], &listeners)),
                Scene::Record => beat(&stop, &packets, hear(&sockets)),
            }
        });
        std::thread::sleep(Duration::from_millis(50));
        let thread = threads("bare")[0];
        let mut other = Other::new(scene, phones, ports);
        other.run(1, &mut |_| ());
        let (before, spent) = (packets.load(Relaxed), processor(thread));
        other.run(SECONDS, &mut |_| ());
        let seconds = processor(thread) - spent;
        let packets = packets.load(Relaxed) - before;
        stop.store(true, Relaxed);
        bare.join().unwrap();
        Moved { packets, seconds }
    })
}

fn beat(stop: &AtomicBool, packets: &AtomicU64, mut turn: impl FnMut(u64) -> u64) {
    // SAFETY: names the thread by a string that ends in zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"bare".as_ptr()) };
    let origin = net::monotonic();
    for step in 0.. {
        if stop.load(Relaxed) {
            return;
        }
        net::sleep_until(origin + step * MS);
        packets.store(packets.load(Relaxed) + turn(step), Relaxed);
    }
}

fn tell(socket: &UdpSocket, listeners: &[SocketAddr]) -> impl FnMut(u64) -> u64 {
    let mut outbox = net::Outbox::default();
    move |step| {
        let mut count = 0;
        for to in listeners.iter().skip((step % PHASES) as usize).step_by(PHASES as usize) {
            let SocketAddr::V4(to) = to else { continue };
            outbox.push(*to, [0x80; 12], &SOUND);
            count += 1;
        }
        count - outbox.flush(socket) as u64
    }
}

fn hear(sockets: &[UdpSocket]) -> impl FnMut(u64) -> u64 {
    let mut batch = Receiving::default();
    move |step| {
        let turn = sockets.iter().skip((step % RECORDS_MS) as usize).step_by(RECORDS_MS as usize);
        turn.map(|it| batch.receive(it)).sum()
    }
}

/// Eight datagrams by one call, with their senders.
struct Receiving {
    buffers: Box<[[u8; 2_048]; 8]>,
    names: Box<[libc::sockaddr_storage; 8]>,
}

impl Default for Receiving {
    fn default() -> Self {
        // SAFETY: plain integers; all zero is valid.
        let names = unsafe { std::mem::zeroed() };
        Self { buffers: Box::new([[0; 2_048]; 8]), names: Box::new(names) }
    }
}

impl Receiving {
    fn receive(&mut self, socket: &UdpSocket) -> u64 {
        // SAFETY: plain structures of integers and pointers; all zero is valid. Every pointer leads to
        // memory of our own that outlives the call.
        unsafe {
            let mut headers: [libc::mmsghdr; 8] = std::mem::zeroed();
            let mut slices: [libc::iovec; 8] = std::mem::zeroed();
            for at in 0..8 {
                slices[at].iov_base = self.buffers[at].as_mut_ptr().cast();
                slices[at].iov_len = 2_048;
                headers[at].msg_hdr.msg_name = (&raw mut self.names[at]).cast();
                headers[at].msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
                headers[at].msg_hdr.msg_iov = &raw mut slices[at];
                headers[at].msg_hdr.msg_iovlen = 1;
            }
            let flags = libc::MSG_DONTWAIT;
            let none = std::ptr::null_mut();
            let count = libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), 8, flags, none);
            u64::try_from(count).unwrap_or(0)
        }
    }
}

/// Threads of ours with that name.
fn threads(name: &str) -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let named = tasks.filter(|it| {
        std::fs::read_to_string(it.path().join("comm")).is_ok_and(|it| it.trim() == name)
    });
    named.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}

/// Seconds a thread has run.
fn processor(thread: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
