//! A phone that is called: it rings, is picked up, refuses, asks for a password, or is given up.

use std::io;
use std::net::SocketAddr;

use super::{Call, Phone, header, media_of, ok_to, route_of};

/// A call that has come in.
pub struct Incoming {
    /// As it came.
    pub invite: String,
    /// Where it came from.
    pub from: SocketAddr,
    call: Call,
    tag: String,
}

impl Phone {
    /// Where it is called.
    pub fn address(&self) -> SocketAddr {
        self.sip.local_addr().expect("a socket has an address")
    }

    /// Waits to be called.
    pub async fn called(self) -> io::Result<Incoming> {
        let mut call = self.place("127.0.0.1:9".parse().expect("an address"), "nobody")?;
        let (invite, from) = next(&call, "INVITE").await?;
        call.server = from;
        let tag = format!("c{:x}", rand::random::<u64>());
        Ok(Incoming { invite, from, call, tag })
    }
}

impl Incoming {
    /// Says something before the answer, such as `180 Ringing`.
    pub async fn tell(&self, line: &str) -> io::Result<()> {
        self.send(&self.answer_to(&self.invite, line)).await
    }

    /// Refuses the call, with `486 Busy Here` or the like, and waits for the ACK.
    pub async fn refuse(self, line: &str) -> io::Result<()> {
        self.refused(line).await
    }

    /// Refuses it and waits for it to come again; `line` may have header lines behind it.
    pub async fn again(mut self, line: &str) -> io::Result<Self> {
        self.refused(line).await?;
        loop {
            let (invite, _) = next(&self.call, "INVITE").await?;
            if header(&invite, "CSeq") != header(&self.invite, "CSeq") {
                self.invite = invite;
                return Ok(self);
            }
        }
    }

    /// Waits until the call is given up, and lets it go.
    pub async fn until_given_up(self) -> io::Result<()> {
        let (cancel, _) = next(&self.call, "CANCEL").await?;
        self.send(&ok_to(&cancel)).await?;
        self.refused("487 Request Terminated").await
    }

    /// Waits until the call is given up, and is picked up in the same moment; the caller hangs up then.
    pub async fn picked_up_too_late(self) -> io::Result<()> {
        let (cancel, _) = next(&self.call, "CANCEL").await?;
        self.send(&ok_to(&cancel)).await?;
        self.pick_up().await?.until_hung_up().await
    }

    /// Is picked up.
    pub async fn pick_up(mut self) -> io::Result<Call> {
        let offered = media_of(&self.invite).ok_or_else(|| io::Error::other("no offer"))?;
        if self.call.secret.as_mut().is_some_and(|it| !it.agree(&self.invite)) {
            return Err(io::Error::other("no key in the offer"));
        }
        let sdp = self.call.offer("sendrecv")?;
        let contact = format!("Contact: <sip:phone@{}>\r\n", self.call.sip.local_addr()?);
        let kind = "Content-Type: application/sdp\r\n";
        let ok = self.answer_to(&self.invite, "200 OK");
        let length = format!("{contact}{kind}Content-Length: {}\r\n\r\n{sdp}", sdp.len());
        self.send(&ok.replace("Content-Length: 0\r\n\r\n", &length)).await?;
        next(&self.call, "ACK").await?;
        let said = |name| header(&self.invite, name).unwrap_or_default().to_owned();
        let target = said("Contact");
        let mut call = self.call;
        call.media = offered;
        call.target = target.trim_start_matches('<').split('>').next().unwrap_or("").to_owned();
        call.route = route_of(&self.invite);
        (call.call_id, call.to) = (said("Call-ID"), said("From"));
        call.from = format!("{};tag={}", said("To"), self.tag);
        call.cseq = 100;
        Ok(call)
    }

    async fn refused(&self, line: &str) -> io::Result<()> {
        self.send(&self.answer_to(&self.invite, line)).await?;
        next(&self.call, "ACK").await.map(drop)
    }

    fn answer_to(&self, request: &str, line: &str) -> String {
        let to = format!("To: {}\r\n", header(request, "To").unwrap_or_default());
        let tagged = format!("To: {};tag={}\r\n", to[4..].trim_end(), self.tag);
        ok_to(request).replacen("200 OK", line, 1).replace(&to, &tagged)
    }

    async fn send(&self, message: &str) -> io::Result<()> {
        self.call.sip.send_to(message.as_bytes(), self.from).await.map(drop)
    }
}

async fn next(call: &Call, method: &str) -> io::Result<(String, SocketAddr)> {
    let mut buffer = [0; 4_096];
    loop {
        let received = tokio::time::timeout(super::PATIENCE, call.sip.recv_from(&mut buffer));
        let (length, from) =
            received.await.map_err(|_| io::Error::other(format!("no {method} came")))??;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with(&format!("{method} ")) {
            return Ok((text, from));
        }
    }
}
