//! baresip, a phone that many use, with its lamp: registered at Kamailio, with the configuration of its
//! page, through which it subscribes here.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterbeep::mailbox::Folder;
use tempfile::TempDir;

use super::{file, move_to, settings};
use crate::engines::proxy::Kamailio;
use crate::house::{House, PATIENCE};

#[tokio::test]
async fn baresips_lamp_follows_deposit_listening_deletion_resync_and_restart() {
    let mut house = House::start(&settings(""));
    let baresip = Baresip::start(house.sip).await;
    baresip.shows(1, "no", "0/0 (0/0)").await;

    let mut call = crate::call::beeped(&house).await;
    call.speak(&crate::call::words(3)).await.unwrap();
    call.hang_up().await.unwrap();
    baresip.shows(1, "yes", "1/0 (0/0)").await;

    let db = house.db().await;
    let id = house.messages(1).await[0].id;
    move_to(&db, &id, Folder::Saved).await;
    baresip.shows(1, "no", "0/1 (0/0)").await;
    move_to(&db, &id, Folder::Deleted).await;
    baresip.shows(2, "no", "0/0 (0/0)").await;

    house.run(&["lamp", "resync", "--mailbox", "1000"]);
    baresip.shows(3, "no", "0/0 (0/0)").await;

    house.kill();
    file(&db).await;
    house.restart();
    baresip.shows(2, "yes", "1/0 (0/0)").await;
    db.close().await;
}

struct Baresip {
    child: Child,
    said: Arc<Mutex<String>>,
    kamailio: Kamailio,
    _dir: TempDir,
}

impl Baresip {
    async fn start(server: SocketAddr) -> Self {
        let kamailio = Kamailio::start(server).await;
        // It listens on several ports beside the one it is told.
        let [a, b, c] = rand::random::<[u8; 3]>();
        let ip = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        let [own, console] = [5_060, 5_555].map(|port| SocketAddr::from((ip, port)));
        let dir = tempfile::tempdir().unwrap();
        configure(dir.path(), own, console);
        let mut child = Command::new("stdbuf")
            .args(["-oL", "baresip", "-4", "-f"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("install baresip-core");
        let said = Arc::new(Mutex::new(String::new()));
        let (out, into) = (child.stdout.take().unwrap(), said.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
                let mut said = into.lock().unwrap();
                said.push_str(String::from_utf8_lossy(&line).trim_end());
                said.push('\n');
            }
        });
        let started = Self { child, said, kamailio, _dir: dir };
        started.until(|said| said.contains("baresip is ready")).await;
        // Not sooner: what registers before its modules are ready subscribes without end.
        let account = format!(
            "/uanew <sip:1000@{};transport=udp>;auth_pass=none;regint=600;mwi=yes\n",
            started.kamailio.address
        );
        let terminal = UdpSocket::bind("127.0.0.1:0").unwrap();
        terminal.send_to(account.as_bytes(), console).unwrap();
        started
    }

    /// Waits until it has shown this so many times.
    async fn shows(&self, times: usize, waiting: &str, voice: &str) {
        let voice = format!("Voice-Message: {voice}\n");
        let right = |it: &&str| it.lines().next() == Some(waiting) && it.contains(&voice);
        self.until(|said| said.split("Messages-Waiting: ").skip(1).filter(right).count() >= times)
            .await;
    }

    async fn until(&self, right: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.said.lock().unwrap().clone();
            if right(&said) {
                return;
            }
            assert!(Instant::now() < until, "{said}\n{}", self.kamailio.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn configure(dir: &Path, own: SocketAddr, console: SocketAddr) {
    let modules = "/usr/lib/baresip/modules";
    let config = format!(
        "sip_listen {own}\ncons_listen {console}\nmodule_path {modules}\nmodule cons.so\n\
         module g711.so\nmodule_app account.so\nmodule_app menu.so\nmodule_app mwi.so\n"
    );
    std::fs::write(dir.join("config"), config).unwrap();
    std::fs::write(dir.join("accounts"), "# told later\n").unwrap();
}
