//! A phone system that puts somebody on hold: it says what they say of their sound, in words that are
//! not those of this phone, and who hears what comes is at another address (RFC 7088).

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::{timeout, timeout_at};

use super::{Call, PATIENCE, Phone, header, media_of, replace_branch, route_of, status};

/// A packet of sound.
#[derive(Debug, Clone)]
pub struct Heard {
    pub payload_type: u8,
    pub sequence: u16,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

impl Phone {
    /// One that calls for somebody whose sound is at another address.
    pub async fn for_another(ip: &str) -> io::Result<Self> {
        let phone = Self::new().await?;
        Ok(Self { rtp: UdpSocket::bind((ip, 0)).await?, ..phone })
    }

    /// Calls with an offer that is made of this phone's own.
    pub async fn call_offering(
        self,
        server: SocketAddr,
        number: &str,
        offer: impl FnOnce(&Call) -> String,
    ) -> io::Result<(Call, String)> {
        let mut call = self.place(server, number)?;
        let offer = offer(&call);
        let answer = call.open(&offer, |_, _| String::new()).await?;
        Ok((call, answer))
    }

    /// Calls without an offer, and answers the one that comes.
    pub async fn call_asking(
        self,
        server: SocketAddr,
        number: &str,
        answer: impl FnOnce(&Call, &str) -> String,
    ) -> io::Result<(Call, String)> {
        let mut call = self.place(server, number)?;
        let offer = call.open("", answer).await?;
        Ok((call, offer))
    }
}

impl Call {
    async fn open(
        &mut self,
        body: &str,
        answer: impl FnOnce(&Self, &str) -> String,
    ) -> io::Result<String> {
        let invite = self.request("INVITE", body)?;
        let ok = self.final_answer(&invite, "INVITE").await?;
        if status(&ok) != 200 {
            return Err(io::Error::other(format!("the call was answered {}", status(&ok))));
        }
        self.to = header(&ok, "To").unwrap_or_default().to_owned();
        let contact = header(&ok, "Contact").unwrap_or_default();
        self.target = contact.trim_start_matches('<').split('>').next().unwrap_or("").to_owned();
        self.route = route_of(&ok);
        self.media = media_of(&ok).ok_or_else(|| io::Error::other("no media in the answer"))?;
        if self.secret.as_mut().is_some_and(|it| !it.agree(&ok)) {
            return Err(io::Error::other("no key in the answer"));
        }
        let body = answer(self, &ok);
        let ack = self.request("ACK", &body)?;
        self.sip.send_to(ack.as_bytes(), self.server).await?;
        Ok(ok)
    }

    /// What this phone says of its sound.
    pub fn description(&self, direction: &str) -> io::Result<String> {
        self.offer(direction)
    }

    /// From now on it is somebody else who hears. Nobody is told.
    pub async fn hand_over(&mut self, ip: &str) -> io::Result<UdpSocket> {
        Ok(std::mem::replace(&mut self.rtp, UdpSocket::bind((ip, 0)).await?))
    }

    /// An offer in a re-INVITE or an UPDATE, in these words; the answer, whatever it is.
    pub async fn offer_as(&mut self, method: &str, sdp: &str) -> io::Result<String> {
        self.cseq += 1;
        let request = self.request(method, sdp)?;
        let answer = self.final_answer(&request, method).await?;
        if method == "INVITE" {
            let ack = self.request("ACK", "")?;
            // An ACK to a refusal belongs to the INVITE's own transaction.
            let branch = request.split("branch=").nth(1).and_then(|it| it.split("\r\n").next());
            let ack = match status(&answer) {
                200 => ack,
                _ => replace_branch(&ack, branch.unwrap_or_default()),
            };
            self.sip.send_to(ack.as_bytes(), self.server).await?;
        }
        Ok(answer)
    }

    /// A re-INVITE without an offer; the server's own. [`Self::take_offer`] is to follow.
    pub async fn ask_for_offer(&mut self) -> io::Result<(String, u32)> {
        self.cseq += 1;
        let request = self.request("INVITE", "")?;
        Ok((self.final_answer(&request, "INVITE").await?, self.cseq))
    }

    /// The ACK to such an INVITE, which has the answer.
    pub async fn take_offer(&mut self, number: u32, answer: &str) -> io::Result<()> {
        let latest = std::mem::replace(&mut self.cseq, number);
        let ack = self.request("ACK", answer);
        self.cseq = latest;
        self.sip.send_to(ack?.as_bytes(), self.server).await.map(drop)
    }

    /// So many packets of sound, or as many as come before nothing has come for a while.
    pub async fn packets(&mut self, count: usize) -> io::Result<Vec<Heard>> {
        const NOTHING: Duration = Duration::from_millis(700);
        let mut heard = Vec::new();
        let mut bytes = [0; 2_048];
        while heard.len() < count {
            let Ok(received) = timeout(NOTHING, self.rtp.recv_from(&mut bytes)).await else {
                break;
            };
            let (length, from) = received?;
            let Some(packet) = self.opened(&bytes[..length]).filter(|_| from == self.media) else {
                continue;
            };
            heard.push(Heard {
                payload_type: packet[1] & 0x7f,
                sequence: u16::from_be_bytes([packet[2], packet[3]]),
                ssrc: u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]),
                payload: packet[12..].to_vec(),
            });
        }
        Ok(heard)
    }

    /// The final answer to this very request; copies of earlier ones are none.
    async fn final_answer(&self, request: &str, method: &str) -> io::Result<String> {
        let number = format!("{} {method}", self.cseq);
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 4_096];
        self.sip.send_to(request.as_bytes(), self.server).await?;
        loop {
            let received = timeout_at(until.into(), self.sip.recv_from(&mut buffer)).await;
            let (length, _) = received.map_err(|_| io::Error::other("no final answer"))??;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if header(&text, "CSeq") == Some(&*number) && status(&text) >= 200 {
                return Ok(text);
            }
        }
    }
}
