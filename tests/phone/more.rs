//! What a phone does besides calling, speaking and hanging up.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::{Call, FRAME, PATIENCE, Phone, header, replace_branch, status};

impl Phone {
    /// A phone at an address of its own that speaks one codec: 0 is PCMU, 8 PCMA, 9 G.722, 111 Opus.
    pub async fn at(ip: &str, payload_type: u8) -> io::Result<Self> {
        let (sip, rtp) = (UdpSocket::bind((ip, 0)).await?, UdpSocket::bind((ip, 0)).await?);
        let (name, number) = ("Marie Dupont".into(), "5551234".into());
        Ok(Self { sip, rtp, payload_type, name, number, secret: None })
    }

    /// Calls, and gives up in the same moment. The final answer to the INVITE: 487 unless it was
    /// too late, in which case the call is ended in order.
    pub async fn give_up(self, server: SocketAddr, number: &str) -> io::Result<u16> {
        let mut call = self.place(server, number)?;
        let offer = call.offer("sendrecv")?;
        let invite = call.request("INVITE", &offer)?;
        let branch = invite.split("branch=").nth(1).and_then(|it| it.split("\r\n").next());
        let branch = branch.unwrap_or_default().to_owned();
        let cancel = replace_branch(&call.request("CANCEL", "")?, &branch);
        call.sip.send_to(invite.as_bytes(), server).await?;
        call.sip.send_to(cancel.as_bytes(), server).await?;
        let (mut cancelled, mut answer) = (false, None);
        while !cancelled || answer.is_none() {
            let text = call.message().await?;
            let method = header(&text, "CSeq").and_then(|it| it.split(' ').nth(1));
            cancelled |= method == Some("CANCEL") && status(&text) == 200;
            if method == Some("INVITE") && status(&text) >= 200 {
                answer = Some(text);
            }
        }
        let answer = answer.unwrap_or_default();
        call.to = header(&answer, "To").unwrap_or_default().to_owned();
        let ack = call.request("ACK", "")?;
        let late = status(&answer) == 200;
        let ack = if late { ack } else { replace_branch(&ack, &branch) };
        call.sip.send_to(ack.as_bytes(), server).await?;
        if late {
            call.hang_up().await?;
        }
        Ok(status(&answer))
    }
}

impl Call {
    /// Presses a key for 100 ms and listens meanwhile and after it; how long after the first packet of
    /// the key a frame came that is one for `answer`.
    pub async fn press_and_hear(
        &mut self,
        key: char,
        mut answer: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Duration> {
        let event = "0123456789*#ABCD".find(key).expect("a key of the keypad") as u8;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let mut packet = [0; 2_048];
        let (mut step, mut reaction) = (0_u16, None);
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE && (step < 7 || reaction.is_none()) {
            tokio::select! {
                biased;
                received = self.rtp.recv_from(&mut packet) => {
                    let (length, from) = received?;
                    let heard = length > 12 && from == self.media && reaction.is_none();
                    if heard && packet[12..length] != self.silence() && answer(&packet[12..length]) {
                        reaction = Some(began.elapsed());
                    }
                }
                _ = ticks.tick() => {
                    if step >= 7 {
                        self.frame(&self.silence()).await?;
                        continue;
                    }
                    step += 1;
                    let (length, last) = (160 * step.min(5), step > 5);
                    let flags = 10 | if last { 0x80 } else { 0 };
                    let event = [event, flags, (length >> 8) as u8, length as u8];
                    self.send(101, &event, step == 1).await?;
                    if step == 7 {
                        self.timestamp = self.timestamp.wrapping_add(self.steps(100));
                    }
                }
            }
        }
        reaction.ok_or_else(|| io::Error::other("nothing else was heard"))
    }

    /// A new offer: `sendrecv`, `inactive` (hold) and the like.
    pub async fn renegotiate(&mut self, direction: &str) -> io::Result<()> {
        self.renegotiated(direction).await.map(drop)
    }

    /// The same, and what the server answers.
    pub async fn renegotiated(&mut self, direction: &str) -> io::Result<String> {
        self.cseq += 1;
        let offer = self.offer(direction)?;
        let invite = self.request("INVITE", &offer)?;
        let answer = self.transact(&invite, "INVITE").await?;
        let ack = self.request("ACK", "")?;
        self.sip.send_to(ack.as_bytes(), self.server).await?;
        match status(&answer) {
            200 => Ok(answer),
            other => Err(io::Error::other(format!("the offer was answered {other}"))),
        }
    }

    /// Moves the sound to another port, and says so.
    pub async fn move_sound(&mut self) -> io::Result<()> {
        self.rtp = UdpSocket::bind((self.rtp.local_addr()?.ip(), 0)).await?;
        self.renegotiate("sendrecv").await
    }

    /// Says nothing for a while, as a phone on hold.
    pub async fn wait(&self, time: Duration) {
        sleep(time).await;
    }

    /// Presses a key by SIP INFO.
    pub async fn inform(&mut self, key: char) -> io::Result<()> {
        self.cseq += 1;
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        let info = self.request("INFO", &body)?;
        let info = info.replace("application/sdp", "application/dtmf-relay");
        match status(&self.transact(&info, "INFO").await?) {
            200 => Ok(()),
            other => Err(io::Error::other(format!("INFO was answered {other}"))),
        }
    }

    /// The next message that comes.
    pub(super) async fn message(&self) -> io::Result<String> {
        let mut buffer = [0; 4_096];
        let received = timeout(PATIENCE, self.sip.recv_from(&mut buffer));
        let (length, _) = received.await.map_err(|_| io::Error::other("nothing came"))??;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// A frame of nothing.
    pub(super) fn silence(&self) -> Vec<u8> {
        match self.payload_type {
            8 => vec![0xd5; FRAME],
            9 => vec![0xfd; FRAME],
            111 => vec![0xf8, 0xff, 0xfe],
            _ => vec![0xff; FRAME],
        }
    }

    /// Whether a frame is nothing but the tone the server beeps with.
    pub(super) fn is_beep(&mut self, frame: &[u8]) -> bool {
        if self.payload_type > 8 {
            return self.is_wide_beep(frame);
        }
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, &byte) in frame.iter().enumerate() {
            let value = if self.payload_type == 8 { a_law(byte) } else { mu_law(byte) };
            let angle = std::f64::consts::FRAC_PI_4 * n as f64;
            re += value * angle.cos();
            im += value * angle.sin();
            all += value * value;
        }
        all > 0.0 && 2.0 * (re * re + im * im) / (all * frame.len() as f64) > 0.95
    }

    pub(super) fn offer(&self, direction: &str) -> io::Result<String> {
        let media = self.rtp.local_addr()?;
        let family = if media.is_ipv4() { "IP4" } else { "IP6" };
        let (ip, port, number) = (media.ip(), media.port(), self.payload_type);
        let name = self.format();
        let (profile, key) = match &self.secret {
            Some(secret) => ("RTP/SAVP", secret.line()),
            None => ("RTP/AVP", ""),
        };
        Ok(format!(
            "v=0\r\no=- 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} {profile} {number} 101\r\na=rtpmap:{number} {name}\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n\
             {key}a={direction}\r\n",
            version = self.cseq,
        ))
    }
}

/// A sample of PCMU (ITU-T G.711).
fn mu_law(byte: u8) -> f64 {
    let inverted = !byte;
    let mantissa = i32::from(inverted & 0x0f) << 3;
    let size = ((mantissa + 0x84) << ((inverted & 0x70) >> 4)) - 0x84;
    f64::from(if inverted & 0x80 == 0 { size } else { -size })
}

/// A sample of PCMA.
fn a_law(byte: u8) -> f64 {
    let even = byte ^ 0x55;
    let mantissa = i32::from(even & 0x0f) << 4;
    let size = match (even & 0x70) >> 4 {
        0 => mantissa + 8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    f64::from(if even & 0x80 != 0 { size } else { -size })
}
