//! A SIP phone made of plain text and sockets, with nothing of the server's own stack in it, so that
//! a mistake there cannot hide behind the same mistake here. UDP, one call at a time; G.711, and
//! G.722 and Opus as far as somebody else gives it the packets.
#![allow(dead_code, reason = "the tests and the load tool each use a part of it")]

pub mod callee;
pub mod digest;
pub mod holding;
pub mod lamp;
pub mod lasting;
mod more;
pub mod referred;
pub mod richer;
pub mod secret;
pub mod secure;
pub mod tones;
pub mod wide;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::{Interval, interval, sleep_until, timeout};

use secret::Secret;

/// How long an answer may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Samples, and so PCMU bytes, in one packet.
pub const FRAME: usize = 160;

/// A pause shorter than this is none: servers wait for late packets for half a second at most.
const NOTICED: Duration = Duration::from_millis(400);

thread_local! {
    /// How late the latest packet was that a phone of this thread sent.
    static LATEST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Whether a phone of this thread could not speak for so long that a server has to take it for
/// silence. Asked again, it tells of the time since.
pub fn stood_still() -> bool {
    LATEST.take() > NOTICED
}

/// A frame of nothing.
pub const SILENCE: [u8; FRAME] = [0xff; FRAME];

/// A phone that is not in a call.
pub struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    /// 0 speaks PCMU, 8 PCMA, 9 G.722, 111 Opus.
    payload_type: u8,
    /// What it says it is.
    pub name: String,
    pub number: String,
    /// What it encrypts its sound with, if it does.
    pub secret: Option<Secret>,
}

/// A call that was answered and not yet ended.
pub struct Call {
    sip: UdpSocket,
    rtp: UdpSocket,
    payload_type: u8,
    /// Hears beeps in wideband.
    ear: std::sync::Mutex<Option<wide::Ear>>,
    server: SocketAddr,
    media: SocketAddr,
    target: String,
    call_id: String,
    from: String,
    to: String,
    /// The proxies on the way that want to see every request: `Route` lines.
    route: String,
    cseq: u32,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
    secret: Option<Secret>,
    /// When what was sent so far has been said.
    said: tokio::time::Instant,
    /// From INVITE to 200.
    pub answered_in: Duration,
}

/// A final answer that was not 200.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub text: String,
}

impl Phone {
    pub async fn new() -> io::Result<Self> {
        Self::at("127.0.0.1", 0).await
    }

    /// Calls a number; `Err(Refused)` is the server's own word.
    pub async fn call(self, server: SocketAddr, number: &str) -> io::Result<Result<Call, Refused>> {
        self.call_with(server, number, |invite| invite).await
    }

    /// The same with an INVITE that was changed after it was written.
    pub async fn call_with(
        self,
        server: SocketAddr,
        number: &str,
        change: impl FnOnce(String) -> String,
    ) -> io::Result<Result<Call, Refused>> {
        let mut call = self.place(server, number)?;
        let offer = call.offer("sendrecv")?;
        let invite = change(call.request("INVITE", &offer)?);
        let began = Instant::now();
        let answer = call.transact(&invite, "INVITE").await?;
        call.answered_in = began.elapsed();

        call.to = header(&answer, "To").unwrap_or_default().to_owned();
        let status = status(&answer);
        if status != 200 {
            let ack = call.request("ACK", "")?;
            // An ACK to a refusal belongs to the INVITE's own transaction.
            let branch = invite.split("branch=").nth(1).and_then(|it| it.split("\r\n").next());
            let ack = replace_branch(&ack, branch.unwrap_or_default());
            call.sip.send_to(ack.as_bytes(), server).await?;
            return Ok(Err(Refused { status, text: answer }));
        }
        let contact = header(&answer, "Contact").unwrap_or_default();
        call.target = contact.trim_start_matches('<').split('>').next().unwrap_or("").to_owned();
        call.route = route_of(&answer);
        call.media = media_of(&answer).ok_or_else(|| io::Error::other("no media in the answer"))?;
        if call.secret.as_mut().is_some_and(|it| !it.agree(&answer)) {
            return Err(io::Error::other("no key in the answer"));
        }
        let ack = call.request("ACK", "")?;
        call.sip.send_to(ack.as_bytes(), server).await?;
        Ok(Ok(call))
    }

    /// A call that is not begun.
    fn place(self, server: SocketAddr, number: &str) -> io::Result<Call> {
        let Self { sip, rtp, payload_type, name, number: own, secret } = self;
        let here = sip.local_addr()?;
        let unique = here.port();
        let random: u64 = rand::random();
        // Parameters stand behind the host.
        let (number, wishes) = number.split_at(number.find(';').unwrap_or(number.len()));
        let target = format!("sip:{number}@{server}{wishes}");
        Ok(Call {
            payload_type,
            ear: Default::default(),
            server,
            media: server,
            from: format!("\"{name}\" <sip:{own}@{here}>;tag=f{random:x}"),
            to: format!("<{target}>"),
            call_id: format!("{random:x}-{unique}@phone"),
            route: String::new(),
            target,
            cseq: 1,
            seq: 1_000,
            timestamp: 160_000,
            ssrc: random as u32,
            secret,
            said: tokio::time::Instant::now(),
            answered_in: Duration::ZERO,
            sip,
            rtp,
        })
    }
}

impl Call {
    /// Where the server wants our sound.
    pub fn media(&self) -> SocketAddr {
        self.media
    }

    /// Speaks these PCMU bytes, a packet every 20 ms, and hears nothing meanwhile.
    pub async fn speak(&mut self, sound: &[u8]) -> io::Result<()> {
        let mut due = self.resume();
        for frame in sound.chunks(FRAME) {
            sleep_until(due).await;
            self.frame(frame).await?;
            due += Duration::from_millis(20);
        }
        sleep_until(due).await;
        Ok(())
    }

    /// Presses a key for 100 ms (RFC 4733).
    pub async fn press(&mut self, key: char) -> io::Result<()> {
        let event = "0123456789*#ABCD".find(key).expect("a key of the keypad") as u8;
        for step in 1..=7_u16 {
            let last = step > 5;
            let length = 160 * step.min(5);
            let flags = 10 | if last { 0x80 } else { 0 };
            let packet = [event, flags, (length >> 8) as u8, length as u8];
            self.send(101, &packet, step == 1).await?;
            if !last {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.timestamp = self.timestamp.wrapping_add(self.steps(100));
        Ok(())
    }

    /// Listens until the server is silent for `quiet` after it said something, and sends silence
    /// meanwhile, as phones do. All it said, encoded.
    pub async fn listen(&mut self, quiet: Duration) -> io::Result<Vec<u8>> {
        Ok(self.listen_by_packet(quiet).await?.concat())
    }

    /// The same, packet by packet.
    pub async fn listen_by_packet(&mut self, quiet: Duration) -> io::Result<Vec<Vec<u8>>> {
        let mut heard = BTreeMap::new();
        let mut packet = [0; 2_048];
        let mut last = None;
        let gives_up = Instant::now() + PATIENCE;
        let mut ticks = interval(Duration::from_millis(20));
        while last.is_none_or(|it: Instant| it.elapsed() < quiet) && Instant::now() < gives_up {
            let received = tokio::select! {
                received = self.rtp.recv_from(&mut packet) => received,
                _ = ticks.tick() => {
                    self.frame(&self.silence()).await?;
                    continue;
                }
            };
            let (length, from) = received?;
            if from == self.media
                && let Some(packet) = self.opened(&packet[..length])
            {
                let timestamp = u32::from_be_bytes(packet[4..8].try_into().expect("four bytes"));
                heard.insert(timestamp, packet[12..].to_vec());
                // A packet that only keeps the way open is not yet the beginning of something.
                if last.is_some() || packet[12..] != self.silence() {
                    last = Some(Instant::now());
                }
            }
        }
        // A packet that only keeps the way open is no sound.
        heard.retain(|_, it| *it != self.silence());
        Ok(heard.into_values().collect())
    }

    /// Listens, sending silence meanwhile, until a frame of sound is one too many for `enough`.
    pub async fn hear(&mut self, mut enough: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        let gives_up = tokio::time::Instant::now() + PATIENCE;
        let mut ticks = interval(Duration::from_millis(20));
        while let Some(frame) = self.next_sound(&mut ticks, gives_up).await? {
            if enough(&frame) {
                return Ok(());
            }
        }
        Err(io::Error::other("what was to be heard never came"))
    }

    /// Skips the greeting and waits for the end of the beep.
    pub async fn skip_to_beep(&mut self) -> io::Result<()> {
        self.press('#').await?;
        self.until_beep_is_over().await
    }

    /// Waits for the beep, 1 kHz, and for the quiet behind it.
    pub async fn until_beep_is_over(&mut self) -> io::Result<()> {
        self.listen_to_beep().await.map(drop)
    }

    /// The same, and all that was heard, packet by packet. However long the server takes between two
    /// sounds, the beep is the last.
    pub async fn listen_to_beep(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut ticks = interval(Duration::from_millis(20));
        let (mut heard, mut beeps) = (Vec::new(), 0);
        loop {
            let patience = if beeps >= 10 { Duration::from_millis(100) } else { PATIENCE };
            let until = tokio::time::Instant::now() + patience;
            let Some(frame) = self.next_sound(&mut ticks, until).await? else { break };
            // Its last frames fade and are not asked what they are.
            if beeps < 10 {
                beeps = if self.is_beep(&frame) { beeps + 1 } else { 0 };
            }
            heard.push(frame);
        }
        if beeps >= 10 { Ok(heard) } else { Err(io::Error::other("no beep came")) }
    }

    /// Speaks like [`Self::speak`] unless the server hangs up; how many frames were sent.
    pub async fn speak_until_hung_up(&mut self, sound: &[u8]) -> io::Result<(usize, bool)> {
        let mut due = self.resume();
        let mut buffer = [0; 4_096];
        let mut sent = 0;
        for frame in sound.chunks(FRAME) {
            loop {
                let (length, from) = tokio::select! {
                    biased;
                    received = self.sip.recv_from(&mut buffer) => received?,
                    () = sleep_until(due) => break,
                };
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.starts_with("BYE ") {
                    self.sip.send_to(ok_to(&text).as_bytes(), from).await?;
                    return Ok((sent, true));
                }
            }
            self.frame(frame).await?;
            sent += 1;
            due += Duration::from_millis(20);
        }
        Ok((sent, false))
    }

    /// Hangs up; returns once the server has answered, with how long that took.
    pub async fn hang_up(mut self) -> io::Result<Duration> {
        let bye = self.request("BYE", "")?;
        let began = Instant::now();
        let answer = self.transact(&bye, "BYE").await?;
        match status(&answer) {
            200 => Ok(began.elapsed()),
            other => Err(io::Error::other(format!("BYE was answered {other}"))),
        }
    }

    /// Waits for the server to hang up, and answers it.
    pub async fn until_hung_up(self) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        loop {
            let received = timeout(PATIENCE, self.sip.recv_from(&mut buffer));
            let (length, from) = received.await.map_err(|_| io::Error::other("no BYE came"))??;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("BYE ") {
                self.sip.send_to(ok_to(&text).as_bytes(), from).await?;
                return Ok(());
            }
        }
    }

    /// The next frame of sound, in the order they come; `None` if there is none until then. Sends
    /// silence meanwhile.
    async fn next_sound(
        &mut self,
        ticks: &mut Interval,
        until: tokio::time::Instant,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut packet = [0; 2_048];
        loop {
            let (length, from) = tokio::select! {
                biased;
                received = self.rtp.recv_from(&mut packet) => received?,
                _ = ticks.tick() => {
                    self.frame(&self.silence()).await?;
                    continue;
                }
                () = sleep_until(until) => return Ok(None),
            };
            // A packet that only keeps the way open is no sound.
            if from == self.media
                && let Some(packet) = self.opened(&packet[..length])
                && packet[12..] != self.silence()
            {
                return Ok(Some(packet[12..].to_vec()));
            }
        }
    }

    /// Sends one packet of sound. Whoever calls this keeps the time.
    pub async fn frame(&mut self, frame: &[u8]) -> io::Result<()> {
        self.send(self.payload_type, frame, false).await?;
        let steps = if self.payload_type == 111 { self.steps(20) } else { frame.len() as u32 };
        self.timestamp = self.timestamp.wrapping_add(steps);
        let now = tokio::time::Instant::now();
        LATEST.set(LATEST.get().max(now.saturating_duration_since(self.said)));
        self.said = now + Duration::from_millis(20);
        Ok(())
    }

    /// Begins to speak, at the time that is answered. Whoever was quiet goes on at the time it is,
    /// as far as a listener could tell: the clock of a phone does not stop when it is kept waiting.
    fn resume(&mut self) -> tokio::time::Instant {
        let now = tokio::time::Instant::now();
        let quiet = now.saturating_duration_since(self.said);
        if quiet > NOTICED {
            let frames = quiet.as_millis() as u32 / 20;
            self.timestamp = self.timestamp.wrapping_add(self.steps(20) * frames);
        }
        self.said = now;
        now
    }

    async fn send(&mut self, payload_type: u8, payload: &[u8], marker: bool) -> io::Result<()> {
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend(self.seq.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        self.seq = self.seq.wrapping_add(1);
        let packet = match &mut self.secret {
            Some(secret) => secret.seal(packet),
            None => packet,
        };
        self.rtp.send_to(&packet, self.media).await?;
        Ok(())
    }

    /// A packet with something in it, decrypted if need be.
    fn opened(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let packet = match &mut self.secret {
            Some(secret) => secret.open(packet)?,
            None => packet.to_vec(),
        };
        (packet.len() > 12).then_some(packet)
    }

    fn request(&mut self, method: &str, body: &str) -> io::Result<String> {
        let here = self.sip.local_addr()?;
        let branch: u64 = rand::random();
        if method == "BYE" {
            self.cseq += 1;
        }
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        Ok(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{branch:x}\r\n\
             {route}Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:phone@{here}>\r\n{kind}\
             Content-Length: {length}\r\n\r\n{body}",
            target = self.target,
            route = self.route,
            from = self.from,
            to = self.to,
            call_id = self.call_id,
            cseq = self.cseq,
            length = body.len(),
        ))
    }

    /// Sends a request, again at 0.5, 1, 2... s as RFC 3261 §17.1 asks, until its final answer comes.
    async fn transact(&self, request: &str, method: &str) -> io::Result<String> {
        let mut buffer = [0; 4_096];
        let mut again = Duration::from_millis(500);
        let mut provisional = false;
        let gives_up = Instant::now() + PATIENCE;
        self.sip.send_to(request.as_bytes(), self.server).await?;
        while Instant::now() < gives_up {
            let Ok(received) = timeout(again, self.sip.recv_from(&mut buffer)).await else {
                if !(provisional && method == "INVITE") {
                    self.sip.send_to(request.as_bytes(), self.server).await?;
                }
                again = (again * 2).min(Duration::from_secs(4));
                continue;
            };
            // A dead server's port answers with an ICMP error: it may come back.
            let Ok((length, from)) = received else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("BYE ") {
                self.sip.send_to(ok_to(&text).as_bytes(), from).await?;
            } else if header(&text, "CSeq").is_some_and(|it| it.ends_with(method)) {
                provisional |= status(&text) < 200;
                if status(&text) >= 200 {
                    return Ok(text);
                }
            }
        }
        Err(io::Error::other(format!("no final answer to {method}")))
    }
}

fn replace_branch(message: &str, branch: &str) -> String {
    let (before, after) = message.split_once("branch=").unwrap_or((message, ""));
    let rest = after.split_once("\r\n").map_or("", |it| it.1);
    format!("{before}branch={branch}\r\n{rest}")
}

pub fn ok_to(request: &str) -> String {
    let kept = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| {
        let values = request.lines().filter(|line| line.starts_with(&format!("{name}:")));
        values.map(|line| format!("{line}\r\n")).collect::<String>()
    });
    format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", kept.concat())
}

pub fn status(message: &str) -> u16 {
    message.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}

pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let head = message.split("\r\n\r\n").next()?;
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What RFC 3261 §12.1.2 makes of `Record-Route`: the last one is the next.
fn route_of(answer: &str) -> String {
    let recorded = answer.lines().filter_map(|line| line.strip_prefix("Record-Route:"));
    let mut hops: Vec<_> = recorded.flat_map(|it| it.split(',')).map(str::trim).collect();
    hops.reverse();
    hops.iter().map(|hop| format!("Route: {hop}\r\n")).collect()
}

fn media_of(answer: &str) -> Option<SocketAddr> {
    let line = |start: &str| answer.lines().find_map(|line| line.strip_prefix(start));
    let address = line("c=IN IP4 ").or_else(|| line("c=IN IP6 "))?.trim().parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(address, port))
}
