//! A phone with a lamp: it subscribes (RFC 6665) and shows what it is told (RFC 3842). UDP.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::digest::Account;
use super::{PATIENCE, header, ok_to, status};

/// One subscription of a phone to one mailbox.
pub struct Lamp {
    socket: UdpSocket,
    server: SocketAddr,
    /// What is subscribed to.
    pub target: String,
    pub call_id: String,
    /// With our tag.
    pub from: String,
    /// With the server's tag, once it has said it.
    pub to: String,
    pub cseq: u32,
    /// Where it says that it is reached.
    pub contact: String,
    /// More header lines of each SUBSCRIBE.
    pub extra: String,
    /// Used when the server asks for a password.
    pub account: Option<Account>,
    /// What is answered to NOTIFY.
    pub answers: &'static str,
    told: VecDeque<Notified>,
}

/// A NOTIFY.
#[derive(Debug, Clone)]
pub struct Notified {
    pub text: String,
    pub at: Instant,
}

impl Notified {
    pub fn header(&self, name: &str) -> &str {
        header(&self.text, name).unwrap_or_default()
    }

    /// What `Voice-Message` says.
    pub fn voice(&self) -> &str {
        let line = self.text.lines().find_map(|it| it.strip_prefix("Voice-Message: "));
        line.unwrap_or_default()
    }

    pub fn sequence(&self) -> u32 {
        self.header("CSeq").split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    pub fn is_lit(&self) -> bool {
        self.text.contains("\r\nMessages-Waiting: yes\r\n")
    }
}

impl Lamp {
    /// One at this address, for a mailbox.
    pub async fn at(address: &str, server: SocketAddr, number: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let here = socket.local_addr()?;
        let random: u64 = rand::random();
        Ok(Self {
            socket,
            server,
            target: format!("sip:{number}@{server}"),
            call_id: format!("lamp{random:x}@{here}"),
            from: format!("<sip:{number}@{here}>;tag=l{random:x}"),
            to: format!("<sip:{number}@{server}>"),
            cseq: 0,
            contact: format!("sip:lamp@{here}"),
            extra: "Event: message-summary\r\nAccept: application/simple-message-summary\r\n"
                .to_owned(),
            account: None,
            answers: "200 OK",
            told: VecDeque::new(),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// A SUBSCRIBE with the next number.
    pub fn request(&mut self, expires: Option<u32>, proof: &str) -> String {
        self.cseq += 1;
        let here = self.address();
        let branch: u64 = rand::random();
        let expires = expires.map(|it| format!("Expires: {it}\r\n")).unwrap_or_default();
        format!(
            "SUBSCRIBE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{branch:x}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call}\r\n\
             CSeq: {cseq} SUBSCRIBE\r\nContact: <{contact}>\r\n{extra}{expires}{proof}\
             Content-Length: 0\r\n\r\n",
            target = self.target,
            from = self.from,
            to = self.to,
            call = self.call_id,
            cseq = self.cseq,
            contact = self.contact,
            extra = self.extra,
        )
    }

    /// Subscribes, or renews; the final answer.
    pub async fn subscribe(&mut self, expires: Option<u32>) -> io::Result<String> {
        let request = self.request(expires, "");
        let mut answer = self.transact(&request).await?;
        if status(&answer) == 401
            && let Some(account) = &self.account
        {
            let proof = account.answer(&answer, "SUBSCRIBE", &self.target, 1);
            let request = self.request(expires, &proof);
            answer = self.transact(&request).await?;
        }
        if status(&answer) == 200 {
            self.to = header(&answer, "To").unwrap_or_default().to_owned();
            let contact = header(&answer, "Contact").unwrap_or_default();
            self.target = contact.trim_start_matches('<').split('>').next().unwrap_or("").into();
        }
        Ok(answer)
    }

    /// The next NOTIFY, answered; `None` if none comes within this time.
    pub async fn within(&mut self, time: Duration) -> io::Result<Option<Notified>> {
        if let Some(it) = self.told.pop_front() {
            return Ok(Some(it));
        }
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let Ok(received) = timeout(left, self.message()).await else { break };
            received?;
            if let Some(it) = self.told.pop_front() {
                return Ok(Some(it));
            }
        }
        Ok(None)
    }

    /// The next NOTIFY, answered.
    pub async fn next(&mut self) -> io::Result<Notified> {
        let told = self.within(PATIENCE).await?;
        told.ok_or_else(|| io::Error::other("no NOTIFY came"))
    }

    /// Waits until it shows this.
    pub async fn until(&mut self, voice: &str) -> io::Result<Notified> {
        let mut last = String::new();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let Some(it) = self.within(PATIENCE).await? else { break };
            if it.voice() == voice {
                return Ok(it);
            }
            it.voice().clone_into(&mut last);
        }
        Err(io::Error::other(format!("it never showed {voice}, but {last} last")))
    }

    /// A message that is neither a copy nor a NOTIFY.
    async fn message(&mut self) -> io::Result<Option<String>> {
        let mut buffer = [0; 4_096];
        // A dead server's port answers with an ICMP error: it may come back.
        let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !text.starts_with("NOTIFY ") {
            return Ok(Some(text));
        }
        let answer = ok_to(&text).replacen("200 OK", self.answers, 1);
        self.socket.send_to(answer.as_bytes(), from).await?;
        self.told.push_back(Notified { text, at: Instant::now() });
        Ok(None)
    }

    async fn transact(&mut self, request: &str) -> io::Result<String> {
        let mut again = Duration::from_millis(500);
        let until = Instant::now() + PATIENCE;
        self.socket.send_to(request.as_bytes(), self.server).await?;
        while Instant::now() < until {
            match timeout(again, self.message()).await {
                Err(_) => {
                    self.socket.send_to(request.as_bytes(), self.server).await?;
                    again = (again * 2).min(Duration::from_secs(4));
                }
                Ok(Ok(Some(text))) if header(&text, "CSeq") == header(request, "CSeq") => {
                    return Ok(text);
                }
                Ok(received) => drop(received?),
            }
        }
        Err(io::Error::other("no answer to SUBSCRIBE"))
    }
}
