//! Long calls: signs of life (RFC 4028) are given or answered while sound goes on.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Call, FRAME, Phone, Refused, header, ok_to, status};

/// Who gives the signs of life in a call, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// The phone, by re-INVITE.
    OursByInvite,
    /// The phone, by UPDATE.
    OursByUpdate,
    /// The server, by re-INVITE, since the phone takes no UPDATE.
    TheirsByInvite,
    /// The server, by UPDATE.
    TheirsByUpdate,
}

/// What was seen of a call while the phone spoke.
#[derive(Debug, Default)]
pub struct Seen {
    /// Signs of life that were answered with the terms that were agreed on.
    pub signs: usize,
    /// When the last one was answered.
    pub last: Option<Instant>,
    /// Packets of sound that came.
    pub heard: usize,
    /// How late the latest packet was that the phone sent: more than half a second is a gap of its own.
    pub late: Duration,
}

impl Signs {
    fn are_ours(self) -> bool {
        matches!(self, Self::OursByInvite | Self::OursByUpdate)
    }

    fn method(self) -> &'static str {
        match self {
            Self::OursByInvite | Self::TheirsByInvite => "INVITE",
            Self::OursByUpdate | Self::TheirsByUpdate => "UPDATE",
        }
    }

    /// `Session-Expires` in requests of the phone: it began the call, so it is the "uac".
    fn asked(self, seconds: u64) -> String {
        let refresher = if self.are_ours() { "uac" } else { "uas" };
        format!("{seconds};refresher={refresher}")
    }
}

impl Phone {
    /// Calls, and asks for a sign of life in every so many seconds.
    pub async fn call_lasting(
        self,
        server: SocketAddr,
        number: &str,
        signs: Signs,
        seconds: u64,
    ) -> io::Result<Result<Call, Refused>> {
        let update = if signs.method() == "UPDATE" { ", UPDATE" } else { "" };
        let lines = format!(
            "Supported: timer\r\nAllow: INVITE, ACK, BYE, CANCEL{update}\r\n\
             Session-Expires: {}\r\nContact:",
            signs.asked(seconds)
        );
        let change = |invite: String| invite.replacen("Contact:", &lines, 1);
        self.call_with(server, number, change).await
    }
}

impl Call {
    /// Speaks like [`Self::speak`]; at once and every half of the interval it gives a sign of life,
    /// or the server does.
    pub async fn speak_lasting(
        &mut self,
        sound: &[u8],
        signs: Signs,
        seconds: u64,
    ) -> io::Result<Seen> {
        let mut seen = Seen::default();
        let (mut text, mut packet) = ([0; 4_096], [0; 2_048]);
        let mut due = self.resume();
        let half = Duration::from_secs(seconds) / 2;
        let mut next = due;
        for frame in sound.chunks(FRAME) {
            if signs.are_ours() && next <= due {
                self.give_sign(signs, seconds).await?;
                next += half;
            }
            loop {
                tokio::select! {
                    biased;
                    received = self.sip.recv_from(&mut text) => {
                        let (length, from) = received?;
                        let text = String::from_utf8_lossy(&text[..length]).into_owned();
                        if self.heed(&text, from, signs, seconds).await? {
                            seen.signs += 1;
                            seen.last = Some(Instant::now());
                        }
                    }
                    received = self.rtp.recv_from(&mut packet) => {
                        seen.heard += usize::from(received?.1 == self.media);
                    }
                    () = sleep_until(due) => break,
                }
            }
            seen.late = seen.late.max(due.elapsed());
            self.frame(frame).await?;
            due += Duration::from_millis(20);
        }
        sleep_until(due).await;
        Ok(seen)
    }

    /// Does nothing any more, as if its cable were cut; when the server tried to hang up.
    pub async fn vanish(self, until: Instant) -> io::Result<Instant> {
        let mut text = [0; 4_096];
        loop {
            let received = timeout_at(until, self.sip.recv_from(&mut text)).await;
            let (length, _) = received.map_err(|_| io::Error::other("no BYE came"))??;
            if text[..length].starts_with(b"BYE ") {
                return Ok(Instant::now());
            }
        }
    }

    async fn give_sign(&mut self, signs: Signs, seconds: u64) -> io::Result<()> {
        self.cseq += 1;
        let offer =
            if signs.method() == "INVITE" { self.offer("sendrecv")? } else { String::new() };
        let lines =
            format!("Supported: timer\r\nSession-Expires: {}\r\nContact:", signs.asked(seconds));
        let sign = self.request(signs.method(), &offer)?.replacen("Contact:", &lines, 1);
        self.sip.send_to(sign.as_bytes(), self.server).await?;
        Ok(())
    }

    /// Deals with what comes; `true` if it completes a sign of life.
    async fn heed(
        &mut self,
        text: &str,
        from: SocketAddr,
        signs: Signs,
        seconds: u64,
    ) -> io::Result<bool> {
        let wrong = |what: &str| Err(io::Error::other(format!("{what}: {text}")));
        if text.starts_with("SIP/2.0 ") {
            let number = format!("{} {}", self.cseq, signs.method());
            if status(text) < 200 || header(text, "CSeq") != Some(&number) {
                return Ok(false);
            }
            if status(text) != 200 || header(text, "Session-Expires") != Some(&signs.asked(seconds))
            {
                return wrong("that is no answer to a sign of life");
            }
            if signs.method() == "INVITE" {
                let ack = self.request("ACK", "")?;
                self.sip.send_to(ack.as_bytes(), self.server).await?;
            }
            return Ok(true);
        }
        match text.split(' ').next() {
            Some(method) if !signs.are_ours() && method == signs.method() => {
                self.sip.send_to(self.alive(text, seconds)?.as_bytes(), from).await?;
                // A re-INVITE is done with its ACK.
                Ok(method == "UPDATE")
            }
            Some("ACK") => Ok(signs == Signs::TheirsByInvite),
            // The port beside that of another phone's sound gets its RTCP.
            _ if !text.contains("SIP/2.0") => Ok(false),
            _ => wrong("nobody expected this"),
        }
    }

    /// The answer to a sign of life of the server, who goes on giving them: of this request it is
    /// the "uac".
    fn alive(&self, request: &str, seconds: u64) -> io::Result<String> {
        let here = self.sip.local_addr()?;
        let (kind, body) = match request.starts_with("INVITE ") {
            true => ("Content-Type: application/sdp\r\n", self.offer("sendrecv")?),
            false => ("", String::new()),
        };
        let head = ok_to(request).replacen("Content-Length: 0\r\n\r\n", "", 1);
        let length = body.len();
        Ok(format!(
            "{head}Contact: <sip:phone@{here}>\r\nRequire: timer\r\n\
             Session-Expires: {seconds};refresher=uac\r\n{kind}\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }
}
