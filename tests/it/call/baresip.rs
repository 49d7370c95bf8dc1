//! baresip, a phone that many use, with nothing of ours in it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use afterbeep::audio::wav;

use crate::house::PATIENCE;
use crate::phone::FRAME;

/// Samples that are more than a packet now and then, which only keeps the way open.
const SOMETHING: usize = 1_600;
/// A menu says no more once it has said nothing for so long; it begins again after five seconds.
const QUIET: Duration = Duration::from_millis(1_500);

/// One call of it.
pub(super) struct Baresip {
    child: Child,
    /// The end of the terminal that it listens on.
    console: SocketAddr,
    terminal: UdpSocket,
    folder: tempfile::TempDir,
    /// Samples that were heard before the last key.
    before: usize,
}

impl Baresip {
    /// Calls a number.
    pub(super) fn call(server: SocketAddr, number: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = rand::random::<[u8; 3]>();
        let ip = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        let console = SocketAddr::from((ip, 5_555));
        configure(folder.path(), console);
        let output = File::create(folder.path().join("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .args(["-e", &format!("/dial sip:{number}@{server}")])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("baresip is missing; `make test` installs it");
        let terminal = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { child, console, terminal, folder, before: 0 }
    }

    /// Presses keys, one after the other.
    pub(super) async fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.order(&format!("/sndcode {key}\n"));
            // As long as a key is pressed, and a little.
            tokio::time::sleep(Duration::from_millis(350)).await;
        }
        self.before = self.heard().len();
    }

    /// Waits until something was said since the last key, and nothing for a while: what is written are
    /// the packets that come, and in silence hardly any do.
    pub(super) async fn listen(&mut self) {
        let until = Instant::now() + 2 * PATIENCE;
        let (mut length, mut since) = (self.before, Instant::now());
        while length < self.before + SOMETHING || since.elapsed() < QUIET {
            assert!(Instant::now() < until, "{}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
            let heard = self.heard().len();
            if heard > length + FRAME {
                since = Instant::now();
            }
            length = heard;
        }
    }

    /// All that was heard.
    pub(super) async fn hang_up(self) -> Vec<i16> {
        self.order("/hangup\n");
        let until = Instant::now() + PATIENCE;
        let ended =
            |it: &Self| it.said().contains("session closed") || it.said().contains("terminated");
        while !ended(&self) {
            assert!(Instant::now() < until, "{}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.heard()
    }

    /// Says something to it, as its user would.
    fn order(&self, text: &str) {
        self.terminal.send_to(text.as_bytes(), self.console).unwrap();
    }

    /// The samples that are written so far; the file's head is right only at its end.
    pub(super) fn heard(&self) -> Vec<i16> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|it| it.unwrap().path());
        let heard = files.into_iter().find(|it| it.to_string_lossy().ends_with("-dec.wav"));
        let file = heard.map(|it| std::fs::read(it).unwrap()).unwrap_or_default();
        let samples = file.get(44..).unwrap_or_default().chunks_exact(2);
        samples.map(|it| i16::from_le_bytes([it[0], it[1]])).collect()
    }

    /// Its log.
    pub(super) fn said(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn configure(folder: &Path, console: SocketAddr) {
    let silence = folder.join("silence.wav");
    std::fs::write(&silence, wav::to_wav(&vec![0; 8_000 * 300], 8_000)).unwrap();
    let config = format!(
        "sip_listen 127.0.0.1:0\ncons_listen {console}\naudio_source aufile,{silence}\n\
         snd_path {folder}\naudio_srate 8000\naudio_channels 1\nausrc_srate 8000\n\
         module_path /usr/lib/baresip/modules\nmodule cons.so\nmodule g711.so\nmodule aufile.so\n\
         module sndfile.so\nmodule_tmp account.so\nmodule_app menu.so\n\
         net_interface 127.0.0.1\n",
        silence = silence.display(),
        folder = folder.display(),
    );
    std::fs::write(folder.join("config"), config).unwrap();
    let account = "<sip:2000@127.0.0.1>;regint=0;audio_codecs=PCMU\n";
    std::fs::write(folder.join("accounts"), account).unwrap();
    std::fs::write(folder.join("contacts"), "").unwrap();
}
