//! Signalling against a phone made of text: what it sends and expects is written out here, and
//! shares nothing with the code under test.

mod accounts;
mod calls;
mod faults;
mod limits;
mod offers;
mod placed;
mod progress;
mod registrations;
mod sdp;
mod sdp_secret;
mod sdp_wide;
mod secure;
mod strangers;
mod timers;
mod torture;
mod transports;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use afterbeep::sip::{Dialog, Endpoint, Invitation, Settings, Signal};
use tokio::{net::UdpSocket, sync::mpsc, time::timeout};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";

/// A server on loopback. T1 is short so that what takes 32 s in life takes 3 here.
async fn serve(change: impl FnOnce(&mut Settings)) -> (Endpoint, mpsc::Receiver<Invitation>) {
    let mut settings = Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        t1: Duration::from_millis(50),
        // What floods the server here is no source that has to be slowed down.
        most_requests: 0,
        ..Settings::default()
    };
    change(&mut settings);
    Endpoint::listen(&settings).await.unwrap()
}

/// Where our side claims to receive sound.
fn here() -> SocketAddr {
    "127.0.0.1:20000".parse().unwrap()
}

async fn next_call(calls: &mut mpsc::Receiver<Invitation>) -> Invitation {
    timeout(PATIENCE, calls.recv()).await.expect("a call in time").unwrap()
}

async fn next_signal(dialog: &mut Dialog) -> Signal {
    timeout(PATIENCE, dialog.next()).await.expect("a signal in time")
}

/// A phone on UDP, in at most one call.
struct Phone {
    socket: UdpSocket,
    server: SocketAddr,
    call: String,
    to_tag: String,
}

impl Phone {
    async fn new(server: &Endpoint) -> Self {
        Self::at("127.0.0.1:0", server.addresses()[0]).await
    }

    async fn at(address: &str, server: SocketAddr) -> Self {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let socket = UdpSocket::bind(address).await.unwrap();
        let call = format!("call-{}@phone", CALLS.fetch_add(1, Ordering::Relaxed));
        Self { socket, server, call, to_tag: String::new() }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// A request with what every one has; `extra` are whole header lines.
    fn request(&self, method: &str, cseq: u32, extra: &str, body: &str) -> String {
        let (us, server, call) = (self.address(), self.server, &self.call);
        let tag = match self.to_tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let kind = match body {
            "" => "",
            _ if extra.contains("Content-Type") => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        let branch = format!("z9hG4bK{method}{cseq}{call}").replace('@', "");
        let number = if method == "ACK" { "ACK" } else { method };
        format!(
            "{method} sip:1000@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch={branch};rport\r\n\
             From: \"Ann\" <sip:2000@{us}>;tag=ann\r\nTo: <sip:1000@{server}>{tag}\r\n\
             Call-ID: {call}\r\nCSeq: {cseq} {number}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:2000@{us}>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len(),
        )
    }

    async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.server).await.unwrap();
    }

    async fn receive(&self) -> String {
        let mut buffer = [0; 4096];
        let wait = timeout(PATIENCE, self.socket.recv(&mut buffer));
        let length = wait.await.expect("a message in time").unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// Sends, and expects an answer with this status, passing over copies of other answers.
    async fn ask(&self, text: &str, status: u16) -> String {
        self.send(text).await;
        let answer = self.answer_to(&field(text, "CSeq")).await;
        assert_eq!(self::status(&answer), status, "to\n{text}\ncame\n{answer}");
        answer
    }

    /// The next answer to a request of this CSeq that is not provisional.
    async fn answer_to(&self, cseq: &str) -> String {
        loop {
            let message = self.receive().await;
            let is_final = message.starts_with("SIP/2.0") && status(&message) >= 200;
            if is_final && field(&message, "CSeq") == cseq {
                return message;
            }
        }
    }

    /// The next request of this method.
    async fn hear(&self, method: &str) -> String {
        loop {
            let message = self.receive().await;
            if message.starts_with(method) {
                return message;
            }
        }
    }

    /// A whole call up to the ACK; returns the 200 and the server's end.
    async fn dial(&mut self, calls: &mut mpsc::Receiver<Invitation>) -> (String, Dialog) {
        self.send(&self.request("INVITE", 1, "", OFFER)).await;
        let dialog = next_call(calls).await.accept(here()).await.unwrap();
        let ok = self.answer_to("1 INVITE").await;
        assert_eq!(status(&ok), 200, "{ok}");
        self.to_tag = tag_of(&ok);
        self.send(&self.request("ACK", 1, "", "").replace("INVITE1", "ACK1")).await;
        (ok, dialog)
    }

    fn answer(&self, request: &str, status: &str) -> String {
        let same: String = ["Via", "From", "To", "Call-ID", "CSeq"]
            .iter()
            .map(|name| format!("{name}: {}\r\n", field(request, name)))
            .collect();
        format!("SIP/2.0 {status}\r\n{same}Content-Length: 0\r\n\r\n")
    }

    /// The server still answers.
    async fn ping(&self) {
        let options = self.request("OPTIONS", 99, "", "").replace(&self.call, "ping@phone");
        self.ask(&without_to_tag(&options), 200).await;
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn field(message: &str, name: &str) -> String {
    let head = message.split("\r\n\r\n").next().unwrap();
    let line = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
}

fn tag_of(answer: &str) -> String {
    let to = field(answer, "To");
    to.split(";tag=").nth(1).unwrap_or_default().to_owned()
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().1
}

fn without_to_tag(text: &str) -> String {
    let cut = |line: &str| match line.starts_with("To:") {
        true => line.split(";tag=").next().unwrap().to_owned(),
        false => line.to_owned(),
    };
    text.split("\r\n").map(cut).collect::<Vec<_>>().join("\r\n")
}
