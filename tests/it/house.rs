//! A real server in a process and a folder of its own, for the tests that call it.
#![allow(dead_code, reason = "the tests and the load tool each use a part of it")]

use std::io::{BufRead, BufReader};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use afterbeep::audio::wav;
use afterbeep::config::Config;
use afterbeep::mailbox::MessageId;
use afterbeep::store::messages::{Message, Page};
use afterbeep::store::{Db, mailboxes, messages};
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Ports of one house: two to a call, and the last two for SIP and HTTP. All lie below those the
/// system hands out, so that no other test's socket is on one while a house starts or restarts.
const PORTS: u16 = 400;
/// Houses side by side.
const PLACES: u32 = 55;

pub struct House {
    pub dir: TempDir,
    pub sip: SocketAddr,
    /// Where TLS is spoken, if it is.
    pub sips: Option<SocketAddr>,
    pub http: SocketAddr,
    ports: u16,
    child: Child,
}

/// A house in which no server runs.
pub struct Bare {
    pub dir: TempDir,
    sip: SocketAddr,
    http: SocketAddr,
    ports: u16,
}

impl Bare {
    pub fn new(settings: &str) -> Self {
        let ports = free_ports();
        let dir = tempfile::tempdir().unwrap();
        let last = ports + PORTS - 3;
        let [sip, http] = [last + 1, last + 2].map(|it| SocketAddr::from(([127, 0, 0, 1], it)));
        write_settings(dir.path(), (sip, http, ports), settings);
        Self { dir, sip, http, ports }
    }

    /// Runs a verb; what it printed.
    pub fn run(&self, verb: &[&str]) -> String {
        afterbeep(self.dir.path(), verb)
    }

    /// Runs a verb that must fail; why it says it did.
    pub fn refused(&self, verb: &[&str]) -> String {
        refused(self.dir.path(), verb)
    }
}

impl House {
    /// Starts a server with one mailbox, 1000. `settings` are lines of its settings file; those
    /// before the first `[section]` belong to no section.
    pub fn start(settings: &str) -> Self {
        let mailbox = ["mailbox", "add", "1000", "--name", "Ann", "--notify-to", "ann@localhost"];
        Self::start_after(settings, &mailbox)
    }

    /// Starts a server once this verb has been said.
    pub fn start_after(settings: &str, verb: &[&str]) -> Self {
        let Bare { dir, sip, http, ports } = Bare::new(settings);
        afterbeep(dir.path(), verb);
        let (child, sips) = serve(dir.path());
        Self { dir, sip, sips, http, ports, child }
    }

    /// Other settings, from its next start on.
    pub fn configure(&self, settings: &str) {
        write_settings(self.dir.path(), (self.sip, self.http, self.ports), settings);
    }

    /// Ends the server as a power cut would end it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on what is left in its folder.
    pub fn restart(&mut self) {
        (self.child, self.sips) = serve(self.dir.path());
    }

    /// Starts it again and does not wait until it is ready.
    pub fn begin(&mut self) {
        self.child = begin(self.dir.path());
    }

    /// Asks it to end (SIGTERM), and does not wait.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal: `STOP` makes it stand still, `CONT` go on.
    pub fn signal(&self, name: &str) {
        let (name, pid) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([&name, &pid]).status().unwrap().success());
    }

    /// Waits for its end; `true` if it ended as it should.
    pub fn ended(&mut self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs a verb of the program on this house; what it printed.
    pub fn run(&self, verb: &[&str]) -> String {
        afterbeep(self.dir.path(), verb)
    }

    /// Runs a verb of the program that must fail; why it says it did.
    pub fn refused(&self, verb: &[&str]) -> String {
        refused(self.dir.path(), verb)
    }

    pub async fn db(&self) -> Db {
        let config = Config::read(&self.dir.path().join("afterbeep.toml")).unwrap();
        Db::connect(&config.store, &config.database()).await.unwrap()
    }

    /// The messages in 1000, newest first, once there are `count` of them.
    pub async fn messages(&self, count: usize) -> Vec<Message> {
        self.messages_of("1000", count).await
    }

    /// The same of another mailbox.
    pub async fn messages_of(&self, number: &str, count: usize) -> Vec<Message> {
        let db = self.db().await;
        let mailbox = mailboxes::reached(&db, "localhost", number).await.unwrap().unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            let found = messages::list(&db, &mailbox.id, None, Page::first(500)).await.unwrap();
            if found.len() >= count {
                db.close().await;
                return found;
            }
            assert!(Instant::now() < until, "{} messages came, not {count}", found.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no message lies in 1000, not even in the trash.
    pub async fn until_empty(&self) {
        let db = self.db().await;
        let mailbox = mailboxes::reached(&db, "localhost", "1000").await.unwrap().unwrap();
        let until = Instant::now() + PATIENCE;
        while !messages::list(&db, &mailbox.id, None, Page::first(1)).await.unwrap().is_empty() {
            assert!(Instant::now() < until, "a message is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        db.close().await;
    }

    /// The stored samples of a message, 8,000 a second.
    pub fn sound(&self, id: MessageId) -> Vec<i16> {
        self.sound_at(id, 8_000)
    }

    /// The stored samples of a message that is kept at this rate.
    pub fn sound_at(&self, id: MessageId, rate: u32) -> Vec<i16> {
        let to = self.dir.path().join(format!("{id}.wav"));
        self.run(&["message", "export", &id.to_string(), "--to", to.to_str().unwrap()]);
        let sound = wav::from_wav(&std::fs::read(to).unwrap(), 3_600).unwrap();
        assert_eq!(sound.rate, rate);
        sound.samples
    }

    /// Status and text of a page.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = browser().get(format!("http://{}{path}", self.http)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The text of a page once it has `word` in it.
    pub async fn page(&self, path: &str, word: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, text) = self.get(path).await;
            if text.contains(word) {
                return text;
            }
            assert!(Instant::now() < until, "{path} never said {word:?}: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            eprintln!("--- the server's log ---\n{log}");
        }
    }
}

/// What asks for pages.
pub fn browser() -> reqwest::Client {
    // Another test may have been here first.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::new()
}

/// The folder of speech models for tests.
pub fn models() -> PathBuf {
    let models = folder_of_models();
    let model = models.join("ggml-tiny.en.bin");
    assert!(model.exists(), "{} is missing; `make models` brings it", model.display());
    models
}

/// Where that folder should be.
pub fn folder_of_models() -> PathBuf {
    match std::env::var_os("AFTERBEEP_TEST_MODELS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("models"),
    }
}

fn write_settings(dir: &Path, (sip, http, ports): (SocketAddr, SocketAddr, u16), settings: &str) {
    let (top, sections) = match settings.find('[') {
        Some(at) => settings.split_at(at),
        None => (settings, ""),
    };
    let sip6 = SocketAddr::from((Ipv6Addr::LOCALHOST, sip.port()));
    // A section may stand in a file only once.
    let mut sections = sections.to_owned();
    for (section, line) in [
        ("[rtp]\n", format!("ports = \"{ports}-{}\"\n", ports + PORTS - 3)),
        ("[sip]\n", format!("listen = [\"{sip}\", \"{sip6}\"]\n")),
        ("[http]\n", format!("listen = \"{http}\"\n")),
    ] {
        let lines = format!("{section}{line}");
        sections = match sections.contains(section) {
            true => sections.replace(section, &lines),
            false => lines + &sections,
        };
    }
    let file = format!("data = \"{data}\"\n{top}\n{sections}", data = dir.join("data").display(),);
    std::fs::write(dir.join("afterbeep.toml"), file).unwrap();
}

fn begin(dir: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
    command(dir, &["serve"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap()
}

/// Starts the server, and answers where it speaks TLS.
fn serve(dir: &Path) -> (Child, Option<SocketAddr>) {
    let mut child = begin(dir);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut ready, mut sips) = (false, None);
    for line in lines.map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("sips:NUMBER@") {
            sips = address.split(' ').next().and_then(|it| it.parse().ok());
        }
        ready = line.contains("Health");
        if ready {
            break;
        }
    }
    if !ready {
        panic!("the server did not start: {}", std::fs::read_to_string(dir.join("log")).unwrap());
    }
    (child, sips)
}

fn afterbeep(dir: &Path, verb: &[&str]) -> String {
    let output = command(dir, verb).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "afterbeep {verb:?} failed: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(dir: &Path, verb: &[&str]) -> String {
    let output = command(dir, verb).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "afterbeep {verb:?} was to fail, and said {said}");
    String::from_utf8(output.stderr).unwrap()
}

fn command(dir: &Path, verb: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterbeep"));
    command.current_dir(dir).arg("--config").arg(dir.join("afterbeep.toml")).args(verb);
    command
}

/// The first of as many ports as a house needs. Tests may run in one process or in many.
fn free_ports() -> u16 {
    static HOUSES: AtomicU32 = AtomicU32::new(0);
    loop {
        let house = HOUSES.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id());
        let first = 10_000 + (house % PLACES) as u16 * PORTS;
        let [sip, http] = [first + PORTS - 2, first + PORTS - 1].map(|it| ("127.0.0.1", it));
        let http = TcpListener::bind(http);
        if http.is_ok() && TcpListener::bind(sip).is_ok() && UdpSocket::bind(sip).is_ok() {
            return first;
        }
    }
}
