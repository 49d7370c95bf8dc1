//! Kamailio, with the configuration of its page.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net;
use tokio::time::timeout;

use crate::house::PATIENCE;

const PAGE: &str = include_str!("../../../docs/engines/kamailio.md");

/// A running Kamailio.
pub struct Kamailio {
    dir: TempDir,
    child: Child,
    /// Where phones call.
    pub address: SocketAddr,
}

impl Kamailio {
    /// Starts one that sends calls to this server, and waits until it is ready.
    pub async fn start(afterbeep: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = PAGE.split("```").nth(1).unwrap().trim_start();
        let mut here = config.to_owned();
        for (page, test) in [
            ("192.0.2.20:5060", address.to_string()),
            ("192.0.2.10:5060", afterbeep.to_string()),
            ("20000", "1000".into()),
        ] {
            assert!(here.contains(page), "the page says nothing of {page}");
            here = here.replace(page, &test);
        }
        let file = dir.path().join("kamailio.cfg");
        std::fs::write(&file, here).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new("kamailio");
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
        command.args(["-DD", "-E", "-m", "32", "-M", "8", "-Y"]).arg(dir.path());
        command.arg("-f").arg(file).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                panic!("kamailio is missing; `apt-get install kamailio` brings it")
            }
            _ => panic!("kamailio does not start: {error}"),
        });
        let started = Self { dir, child, address };
        started.until_it_answers().await;
        started
    }

    /// It is ready once it says something.
    async fn until_it_answers(&self) {
        let socket = net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = socket.local_addr().unwrap();
        let options = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKready\r\n\
             From: <sip:ready@{here}>;tag=r\r\nTo: <sip:{server}>\r\nCall-ID: ready@{here}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            server = self.address,
        );
        let until = Instant::now() + PATIENCE;
        let mut answer = [0; 2_048];
        while Instant::now() < until {
            socket.send_to(options.as_bytes(), self.address).await.ok();
            let patience = Duration::from_millis(200);
            if matches!(timeout(patience, socket.recv_from(&mut answer)).await, Ok(Ok(_))) {
                return;
            }
        }
        panic!("kamailio never answered: {}", self.said());
    }

    /// Its log.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Kamailio {
    /// Asked to end, it takes its children with it.
    fn drop(&mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().ok();
        self.child.wait().ok();
    }
}
