//! The server that is measured: a process of its own, on a processor of its own, with its data on disk.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::recordings::Recordings;
use super::signal::{self, TRACK};
use super::{net, usage};

/// A mailbox whose greeting is a long tone.
pub const GREETING: &str = "9000";
/// The owners' number, and the mailbox that is opened there.
pub const OWNERS: &str = "*97";
pub const OWNED: &str = "8000";
const SIP: u16 = 9_958;
const HTTP: u16 = 9_959;

pub struct Server {
    dir: TempDir,
    program: PathBuf,
    child: Child,
    pub sip: SocketAddrV4,
}

impl Server {
    /// Starts it. With a folder of models two workers write down what is said.
    pub fn start(program: Option<&Path>, realtime: bool, models: Option<&Path>) -> Self {
        let program = program.unwrap_or(Path::new(env!("CARGO_BIN_EXE_afterbeep")));
        let program = program.canonicalize().expect("the program is there");
        let dir = tempfile::tempdir().expect("a folder");
        let here = net::own_address(77);
        // The music of the house would be made while something else is measured.
        let settings = format!(
            "data = \"{data}\"\n[sip]\nlisten = [\"{here}:{SIP}\"]\nmost_calls = 11000\nmost_transactions = 200000\n\
             most_requests = 0\nidentity_from = [\"127.0.0.0/8\"]\n[rtp]\nports = \"10000-29999\"\n\
             realtime = {realtime}\n[http]\nlisten = \"{here}:{HTTP}\"\n[deposit]\nlongest = \"10m\"\n\
             [music]\nhouse = false\n[speech]\nmodel = \"tiny.en\"\nworkers = 2\nqueue = 1000\n\
             models = \"{models}\"\n",
            data = dir.path().join("data").display(),
            models = models.unwrap_or(Path::new("/nonexistent")).display(),
        );
        std::fs::write(dir.path().join("afterbeep.toml"), settings).expect("settings");
        run(&program, dir.path(), &["mailbox", "add", GREETING]);
        let child = serve(&program, dir.path());
        Self { dir, program, child, sip: SocketAddrV4::new(here, SIP) }
    }

    /// Lets [`GREETING`] play a tone of so many seconds.
    pub fn greeting(&self, seconds: u64) -> String {
        let greeting = self.file("greeting.wav", seconds * 1_000);
        self.run(&["greeting", "set", "--mailbox", GREETING, "--file", &greeting]);
        GREETING.to_owned()
    }

    /// Where the tone is heard without end: from its beginning, or where all others are in it.
    pub fn music(&self, shared: bool) -> String {
        let (class, decision) = if shared { ("radio", "yes") } else { ("load", "no") };
        let file = self.file("tone.wav", TRACK * 1_000);
        self.run(&["moh", "add", &file, "--class", class]);
        self.run(&["moh", "set", "--class", class, "--shared", decision]);
        format!("moh-{class}")
    }

    /// Mailboxes with a short greeting, made now.
    pub fn mailboxes(&self, count: usize) -> Vec<String> {
        let numbers: Vec<_> = (0..count).map(|it| (1_000 + it).to_string()).collect();
        let short = self.file("short.wav", 200);
        for number in &numbers {
            self.mailbox(number, &["--limit", "100000", "--transcribe", "no"]);
            self.run(&["greeting", "set", "--mailbox", number, "--file", &short]);
        }
        numbers
    }

    /// One more mailbox, with these settings.
    pub fn mailbox(&self, number: &str, settings: &[&str]) {
        self.run(&[&["mailbox", "add", number][..], settings].concat());
    }

    /// A file with the tone in it.
    fn file(&self, name: &str, ms: u64) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, signal::tone(ms)).expect("a file of sound");
        path.to_str().expect("a path").to_owned()
    }

    fn run(&self, verb: &[&str]) {
        run(&self.program, self.dir.path(), verb);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Whether its media threads run before all others.
    pub fn runs_first(&self) -> bool {
        let named = |name: &str| usage::named(self.pid(), name);
        let media = named("media-0");
        !media.is_empty() && media.into_iter().all(net::runs_first)
    }

    /// Where recordings are kept.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("data/blobs/messages")
    }

    /// Every recording, once there are as many files as messages were left.
    pub fn recordings(&self, expected: u64, least: usize) -> Recordings {
        let until = Instant::now() + Duration::from_secs(30);
        let mut found = Recordings::default();
        loop {
            found.look(&self.folder(), least).expect("recordings are read");
            found.missing = expected.saturating_sub(found.files as u64);
            if found.missing == 0 || Instant::now() > until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// A figure of its own, as it shows them.
    pub fn figure(&self, name: &str) -> f64 {
        let page = metrics(*self.sip.ip()).unwrap_or_default();
        let value = page.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|it| it.trim().parse().ok()).unwrap_or(f64::NAN)
    }

    /// Has `perf` look on for so many seconds.
    pub fn profile(&self, file: &Path, seconds: u64) -> Profiler {
        let pid = self.pid().to_string();
        let child = Command::new("perf")
            .args(["record", "-q", "-g", "-F", "499", "-o"])
            .arg(file)
            .args(["-p", &pid, "--", "sleep", &seconds.to_string()])
            .spawn();
        Profiler(child.ok())
    }
}

/// `perf` at work.
pub struct Profiler(Option<Child>);

impl Profiler {
    pub fn is_at_work(&mut self) -> bool {
        self.0.as_mut().is_some_and(|it| matches!(it.try_wait(), Ok(None)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn metrics(ip: Ipv4Addr) -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect((ip, HTTP))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

fn run(program: &Path, dir: &Path, verb: &[&str]) {
    let output = command(program, dir, verb).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "afterbeep {verb:?} failed: {said}");
}

fn serve(program: &Path, dir: &Path) -> Child {
    let log = std::fs::File::create(dir.join("log")).expect("a log");
    // What one call logs is a cost of its own, that an operator may have or not.
    let verb = ["--log", "warn", "serve"];
    let mut child =
        command(program, dir, &verb).stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
    let out = child.stdout.take().expect("its output");
    let ready = BufReader::new(out).lines().map_while(Result::ok).any(|it| it.contains("Health"));
    assert!(ready, "the server did not start: {:?}", std::fs::read_to_string(dir.join("log")));
    for thread in usage::tasks(child.id()) {
        net::pin(thread, 0).ok();
    }
    child
}

fn command(program: &Path, dir: &Path, verb: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).arg("--config").arg(dir.join("afterbeep.toml")).args(verb);
    command
}

/// What each kind of thread has used between two looks, the busiest first.
pub fn spent(before: &[(String, f64)], after: &[(String, f64)]) -> Vec<(String, f64)> {
    let then = |name: &str| before.iter().find(|it| it.0 == name).map_or(0.0, |it| it.1);
    let mut spent: Vec<_> =
        after.iter().map(|(name, time)| (name.clone(), time - then(name))).collect();
    // Some have come to their end meanwhile.
    spent.retain(|it| it.1 > 0.0);
    spent.sort_by(|one, other| other.1.total_cmp(&one.1));
    spent.truncate(6);
    spent
}
