//! A phone that can do more: no offer of its own, a password, 100rel, sound before the answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep_until;

use super::digest::Account;
use super::{
    Call, FRAME, Phone, Refused, header, media_of, ok_to, replace_branch, route_of, status,
};

/// How a phone calls.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// More header lines of the INVITE.
    pub extra: &'static str,
    /// The offer is left to the server.
    pub delayed: bool,
    /// Used when the server asks for a password.
    pub account: Option<Account>,
}

/// A call that rings, or sounds already.
pub struct Ringing {
    pub call: Call,
    manner: Manner,
    invite: String,
    /// Its number; what is sent within the call counts on from there.
    number: u32,
    acknowledged: Option<String>,
    /// Offer and answer are exchanged.
    settled: bool,
    /// Times the server asked for a password.
    asked: u32,
}

impl Phone {
    /// Calls and waits for the answer.
    pub async fn call_as(
        self,
        server: SocketAddr,
        number: &str,
        manner: Manner,
    ) -> io::Result<Result<Call, Refused>> {
        self.ring(server, number, manner).await?.answered().await
    }

    /// Begins to call.
    pub async fn ring(
        self,
        server: SocketAddr,
        number: &str,
        manner: Manner,
    ) -> io::Result<Ringing> {
        let mut call = self.place(server, number)?;
        let offer = if manner.delayed { String::new() } else { call.offer("sendrecv")? };
        let invite = call.request("INVITE", &offer)?;
        let invite = invite.replacen("Contact:", &format!("{}Contact:", manner.extra), 1);
        call.sip.send_to(invite.as_bytes(), server).await?;
        let number = call.cseq;
        let (acknowledged, settled, asked) = (None, false, 0);
        Ok(Ringing { call, manner, invite, number, acknowledged, settled, asked })
    }
}

impl Ringing {
    /// Waits until sound may pass before the answer.
    pub async fn sounding(&mut self) -> io::Result<()> {
        loop {
            let text = self.call.message().await?;
            if let Some(end) = self.hear(&text).await? {
                return Err(io::Error::other(format!("{} before any sound", end.status)));
            }
            if self.call.media != self.call.server {
                return Ok(());
            }
        }
    }

    /// Waits until the password was asked for and sent.
    pub async fn challenged(&mut self) -> io::Result<()> {
        while self.asked == 0 {
            let text = self.call.message().await?;
            if let Some(end) = self.hear(&text).await? {
                return Err(io::Error::other(format!("{} and no question", end.status)));
            }
        }
        Ok(())
    }

    /// Waits for the answer.
    pub async fn answered(mut self) -> io::Result<Result<Call, Refused>> {
        loop {
            let text = self.call.message().await?;
            match self.hear(&text).await? {
                Some(Refused { status: 200, .. }) => return Ok(Ok(self.call)),
                Some(refused) => return Ok(Err(refused)),
                None => {}
            }
        }
    }

    /// Gives up; the final answer to the INVITE.
    pub async fn give_up(mut self) -> io::Result<u16> {
        let branch = branch_of(&self.invite).to_owned();
        let (to, target) = (self.call.to.clone(), self.call.target.clone());
        self.call.to = to.split(";tag=").next().unwrap_or_default().to_owned();
        self.call.target = self.invite.split(' ').nth(1).unwrap_or_default().to_owned();
        self.call.cseq = self.number;
        let cancel = replace_branch(&self.call.request("CANCEL", "")?, &branch);
        (self.call.to, self.call.target) = (to, target);
        self.call.sip.send_to(cancel.as_bytes(), self.call.server).await?;
        loop {
            let text = self.call.message().await?;
            if let Some(end) = self.hear(&text).await? {
                return Ok(end.status);
            }
        }
    }

    /// Deals with a message; the final answer if it is one.
    async fn hear(&mut self, text: &str) -> io::Result<Option<Refused>> {
        if header(text, "CSeq") != Some(&format!("{} INVITE", self.number)) {
            return Ok(None);
        }
        let (code, call) = (status(text), &mut self.call);
        if code > 100 {
            call.to = header(text, "To").unwrap_or_default().to_owned();
        }
        if code > 100 && code < 300 {
            // What a proxy says of itself names no phone.
            if let Some(contact) = header(text, "Contact") {
                let target = contact.trim_start_matches('<').split('>').next();
                call.target = target.unwrap_or_default().to_owned();
                call.route = route_of(text);
            }
            call.media = media_of(text).unwrap_or(call.media);
        }
        match code {
            100..=199 => self.acknowledge(text).await?,
            200 => {
                let offers = self.manner.delayed && !self.settled;
                let answer = if offers { self.call.offer("sendrecv")? } else { String::new() };
                let (latest, number) = (self.call.cseq, self.number);
                self.call.cseq = number;
                let ack = self.call.request("ACK", &answer)?;
                self.call.cseq = latest;
                self.call.sip.send_to(ack.as_bytes(), self.call.server).await?;
                return Ok(Some(Refused { status: 200, text: text.to_owned() }));
            }
            401 if self.asked == 0 && self.manner.account.is_some() => self.prove(text).await?,
            _ => {
                self.refused().await?;
                return Ok(Some(Refused { status: code, text: text.to_owned() }));
            }
        }
        Ok(None)
    }

    /// Sends the PRACK of a 18x that wants one, once.
    async fn acknowledge(&mut self, progress: &str) -> io::Result<()> {
        let Some(number) = header(progress, "RSeq") else { return Ok(()) };
        if self.acknowledged.as_deref() == Some(number) {
            return Ok(());
        }
        self.acknowledged = Some(number.to_owned());
        self.settled = true;
        let answer = if self.manner.delayed { self.call.offer("sendrecv")? } else { String::new() };
        self.call.cseq += 1;
        let prack = self.call.request("PRACK", &answer)?;
        let rack = format!("RAck: {number} {} INVITE\r\nContact:", self.number);
        let prack = prack.replacen("Contact:", &rack, 1);
        self.call.sip.send_to(prack.as_bytes(), self.call.server).await?;
        Ok(())
    }

    /// Calls again with the password.
    async fn prove(&mut self, refused: &str) -> io::Result<()> {
        self.refused().await?;
        self.asked += 1;
        let call = &mut self.call;
        call.to = call.to.split(";tag=").next().unwrap_or_default().to_owned();
        call.cseq += 1;
        self.number = call.cseq;
        let offer = if self.manner.delayed { String::new() } else { call.offer("sendrecv")? };
        let account = self.manner.account.as_ref().expect("somebody asked for it");
        let proof = account.answer(refused, "INVITE", &call.target, 1);
        let extra = format!("{}{proof}Contact:", self.manner.extra);
        self.invite = call.request("INVITE", &offer)?.replacen("Contact:", &extra, 1);
        call.sip.send_to(self.invite.as_bytes(), call.server).await?;
        Ok(())
    }

    /// The ACK of a refusal, which belongs to the INVITE's own transaction.
    async fn refused(&mut self) -> io::Result<()> {
        let latest = std::mem::replace(&mut self.call.cseq, self.number);
        let target = self.invite.split(' ').nth(1).unwrap_or_default().to_owned();
        let target = std::mem::replace(&mut self.call.target, target);
        let ack = replace_branch(&self.call.request("ACK", "")?, branch_of(&self.invite));
        (self.call.cseq, self.call.target) = (latest, target);
        self.call.sip.send_to(ack.as_bytes(), self.call.server).await?;
        Ok(())
    }

    /// The INVITE as it was sent last.
    pub fn invite(&self) -> &str {
        &self.invite
    }
}

impl Call {
    /// Speaks like [`Self::speak`] and answers every UPDATE meanwhile; how many there were.
    pub async fn speak_alive(&mut self, sound: &[u8]) -> io::Result<usize> {
        let mut due = self.resume();
        let mut buffer = [0; 4_096];
        let mut signs = 0;
        for frame in sound.chunks(FRAME) {
            loop {
                let (length, from) = tokio::select! {
                    biased;
                    received = self.sip.recv_from(&mut buffer) => received?,
                    () = sleep_until(due) => break,
                };
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.starts_with("UPDATE ") {
                    self.sip.send_to(ok_to(&text).as_bytes(), from).await?;
                    signs += 1;
                } else if text.starts_with("BYE ") {
                    return Err(io::Error::other("the server hung up"));
                }
            }
            self.frame(frame).await?;
            due += Duration::from_millis(20);
        }
        sleep_until(due).await;
        Ok(signs)
    }
}

fn branch_of(message: &str) -> &str {
    message.split("branch=").nth(1).and_then(|it| it.split("\r\n").next()).unwrap_or_default()
}
