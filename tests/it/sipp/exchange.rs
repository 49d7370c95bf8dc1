//! sipp does the signalling and a [`Voice`] the sound: sipp's own needs a raw socket, and with it
//! root. sipp's SDP names the voice's port. Over the connection sipp has for third-party calls it
//! tells when a call is answered or over, and is told when to hang up.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use afterbeep::audio::g711::Law;
use tempfile::TempDir;

use super::line::Network;
use super::tape::Tape;
use super::voice::{Ending, Voice};
use crate::house::House;
use crate::phone::header;

/// How long all calls of one sipp may take.
const PATIENCE: Duration = Duration::from_secs(50);
/// What ends a message between sipp and its twin.
const ESCAPE: u8 = 27;

#[derive(Debug, Clone, Copy)]
pub enum Transport {
    Udp,
    Tcp,
}

/// What kind of calls, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    pub transport: Transport,
    pub codec: Law,
    pub ending: Ending,
    pub network: Network,
    pub count: u16,
    /// New calls a second.
    pub rate: u16,
}

/// Has sipp call the house. What each caller sent, by the number they called from.
pub fn leave(house: &House, calls: Calls) -> HashMap<String, Tape> {
    let dir = tempfile::tempdir().unwrap();
    let mut voices = voices(calls);
    let callers = voices
        .iter()
        .map(|(number, voice)| format!("{number};{}\n", voice.socket.local_addr().unwrap().port()));
    let callers: String = callers.collect();
    fs::write(dir.path().join("callers.csv"), format!("SEQUENTIAL\n{callers}")).unwrap();

    let twin = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sipp = Sipp::start(dir, house.sip, twin.local_addr().unwrap(), calls);
    let twin = sipp.connection(&twin);
    let reader = BufReader::new(twin.try_clone().unwrap());
    let mut speaking: HashMap<String, (Sender<()>, JoinHandle<Tape>)> = HashMap::new();
    for message in reader.split(ESCAPE) {
        let Ok(message) = message else { break };
        let message = format!("\r\n{}", String::from_utf8(message).unwrap());
        let say = |name| header(&message, name).unwrap_or_default().to_owned();
        let caller = say("Caller");
        if header(&message, "Over").is_some() {
            speaking[&caller].0.send(()).ok();
        } else if let Some(voice) = voices.remove(&caller) {
            let (media, call_id) = (say("Media").parse().unwrap(), say("Call-ID"));
            let mut twin = twin.try_clone().unwrap();
            let (over, is_over) = channel();
            let hang_up = move || write!(twin, "Call-ID: {call_id}\r\n\r\n\x1b").unwrap();
            let voice = thread::spawn(move || voice.speak(media, &is_over, hang_up));
            speaking.insert(caller, (over, voice));
        }
    }
    sipp.assert_all_went_well();
    assert!(voices.is_empty(), "{} calls were not answered", voices.len());
    speaking.into_iter().map(|(caller, (_, voice))| (caller, voice.join().unwrap())).collect()
}

fn voices(calls: Calls) -> HashMap<String, Voice> {
    let Calls { codec, ending, network, .. } = calls;
    let voice = |n: u16| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Voice { codec, ending, network, socket, seed: n.into() }
    };
    (0..calls.count).map(|n| (format!("{}", 555_000 + u32::from(n)), voice(n))).collect()
}

struct Sipp {
    dir: TempDir,
    child: Child,
    until: Instant,
}

impl Sipp {
    fn start(dir: TempDir, server: SocketAddr, twin: SocketAddr, calls: Calls) -> Self {
        let scenario = match calls.ending {
            Ending::Bye => include_str!("hang_up.xml"),
            Ending::Pound => include_str!("stay.xml"),
        };
        fs::write(dir.path().join("scenario.xml"), scenario).unwrap();
        let (codec, payload_type) = match calls.codec {
            Law::Mu => ("PCMU", "0"),
            Law::A => ("PCMA", "8"),
        };
        let transport = match calls.transport {
            Transport::Udp => "u1",
            Transport::Tcp => "t1",
        };
        let output = fs::File::create(dir.path().join("output")).unwrap();
        let mut command = Command::new("sipp");
        command.current_dir(dir.path()).arg(server.to_string());
        command.args(["-t", transport, "-i", "127.0.0.1", "-bind_local", "-nostdin"]);
        command.args(["-sf", "scenario.xml", "-inf", "callers.csv"]);
        command.args(["-key", "codec", codec, "-key", "payload_type", payload_type]);
        command.args(["-m", &calls.count.to_string(), "-r", &calls.rate.to_string()]);
        command.args(["-3pcc", &twin.to_string()]);
        command.args(["-trace_err", "-error_file", "errors"]);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("sipp is missing; `apt-get install sip-tester` brings it")
            }
            Err(error) => panic!("sipp does not start: {error}"),
        };
        Self { dir, child, until: Instant::now() + PATIENCE }
    }

    /// The connection sipp makes to its twin, which is us.
    fn connection(&mut self, twin: &TcpListener) -> TcpStream {
        twin.set_nonblocking(true).unwrap();
        loop {
            if let Ok((stream, _)) = twin.accept() {
                stream.set_nonblocking(false).unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            let ended = self.child.try_wait().unwrap().is_some();
            assert!(!ended && Instant::now() < self.until, "sipp failed: {}", self.said());
            thread::yield_now();
        }
    }

    fn assert_all_went_well(&mut self) {
        while Instant::now() < self.until {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "sipp says {status}: {}", self.said());
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("sipp did not end: {}", self.said());
    }

    fn said(&self) -> String {
        let read = |name: &str| read_lossy(&self.dir.path().join(name));
        format!("{}\n{}", read("errors"), read("output"))
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read_lossy(path: &Path) -> String {
    fs::read(path).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
}
