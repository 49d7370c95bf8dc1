//! How calls are placed, answered and ended.

use std::cmp::Reverse;
use std::net::SocketAddrV4;

use super::super::ear::Hears;
use super::super::net;
use super::super::text::{self, Names};
use super::call::{Call, State};
use super::sound::HEARS;
use super::{Crowd, SOUND, What, door_of};

/// The first repetition of a request comes after this many steps, each later one after twice as many.
const T1: u64 = 500;
/// A request is repeated so often.
const TRIES: u32 = 6;

impl Crowd {
    pub(super) fn ask(&mut self, place: usize) {
        let call = &mut self.calls[place];
        *call = Call { state: State::Asking, round: call.round + 1, ..Call::new(call.role) };
        call.asked = net::now();
        // Each caller says something else.
        call.frame = place * 37;
        self.seen.asked += 1;
        self.send_invite(place);
        let round = self.calls[place].round;
        self.timers.push(Reverse((self.step + T1, place, round, What::Repeat)));
    }

    fn send_invite(&self, place: usize) {
        let role = &self.roles[self.calls[place].role];
        let direction = if role.says.is_some() { "sendrecv" } else { "recvonly" };
        let sound = SocketAddrV4::new(*self.here.ip(), SOUND + 2 * door_of(place) as u16);
        let text =
            self.named(place, |it| text::invite(it, sound, direction, role.claims.as_deref()));
        let _ = self.sip.send_to(text.as_bytes(), self.server);
    }

    fn send_within(&self, place: usize, method: &str, number: u32) {
        let call = &self.calls[place];
        let text = self.named(place, |it| text::within(method, number, &call.target, it, &call.to));
        let _ = self.sip.send_to(text.as_bytes(), self.server);
    }

    fn named(&self, place: usize, write: impl Fn(&Names<'_>) -> String) -> String {
        let call = &self.calls[place];
        let numbers = &self.roles[call.role].numbers;
        let called = &numbers[(place + call.round as usize) % numbers.len()];
        let id = format!("{place}.{}.{}", call.round, self.seed);
        let (here, server, caller) = (self.here, self.server, 20_000 + place as u32);
        write(&Names { here, server, called, caller, id: &id })
    }

    /// A request that was not answered is said again, or given up.
    pub(super) fn repeat(&mut self, place: usize) {
        let call = &mut self.calls[place];
        if !matches!(call.state, State::Asking | State::Leaving) {
            return;
        }
        call.tries += 1;
        let (tries, round, state) = (call.tries, call.round, call.state);
        if tries > TRIES {
            self.seen.dropped += 1;
            return self.over(place);
        }
        self.seen.repeated += 1;
        match state {
            State::Asking => self.send_invite(place),
            _ => self.send_within(place, "BYE", 2),
        }
        let next = self.step + (T1 << tries).min(4_000);
        self.timers.push(Reverse((next, place, round, What::Repeat)));
    }

    pub(super) fn hang_up(&mut self, place: usize) {
        let call = &mut self.calls[place];
        if call.state != State::Up {
            return;
        }
        (call.state, call.tries, call.asked) = (State::Leaving, 0, net::now());
        let round = call.round;
        self.up -= 1;
        self.send_within(place, "BYE", 2);
        self.timers.push(Reverse((self.step + T1, place, round, What::Repeat)));
    }

    fn over(&mut self, place: usize) {
        let call = &mut self.calls[place];
        self.up -= usize::from(call.state == State::Up);
        call.state = State::Idle;
        call.round += 1;
        if self.roles[call.role].again {
            self.waiting.push_back(place);
        }
    }

    pub(super) fn answers(&mut self) {
        loop {
            let count = self.inbox.receive(&self.sip);
            for at in 0..count {
                let (from, stamp, bytes) = self.inbox.datagram(at);
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.answer(from, stamp, &text);
            }
            if count < net::BATCH {
                return;
            }
        }
    }

    fn answer(&mut self, from: SocketAddrV4, stamp: u64, text: &str) {
        let id = text::header(text, "Call-ID").unwrap_or_default();
        let mut parts = id.split('.').map(str::parse::<u64>);
        let (Some(Ok(place)), Some(Ok(round)), Some(Ok(seed))) =
            (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let place = place as usize;
        let known = seed == self.seed
            && self.calls.get(place).is_some_and(|it| u64::from(it.round) == round);
        let Some(status) = text::status(text) else {
            let _ = self.sip.send_to(text::agreed(text).as_bytes(), from);
            if known && text.starts_with("BYE ") && self.calls[place].state == State::Up {
                self.seen.dropped += 1;
                self.over(place);
            }
            return;
        };
        if !known || status < 200 {
            return;
        }
        let is_invite = text::header(text, "CSeq").is_some_and(|it| it.ends_with("INVITE"));
        let took = stamp.saturating_sub(self.calls[place].asked);
        match (self.calls[place].state, is_invite, status) {
            (State::Asking, true, 200) => {
                self.seen.set_up.push(took);
                self.answered(place, text);
            }
            (State::Asking, true, _) => {
                // Whoever was refused has to acknowledge that as well.
                self.seen.refused += 1;
                self.calls[place].to = text::header(text, "To").unwrap_or_default().to_owned();
                self.calls[place].target = format!("sip:{}", self.server);
                self.send_within(place, "ACK", 1);
                self.over(place);
            }
            (State::Up, true, 200) => self.send_within(place, "ACK", 1),
            (State::Leaving, false, _) => {
                self.seen.ended.push(took);
                let call = &self.calls[place];
                self.done[call.role] += 1;
                let is_message = matches!(self.roles[call.role].hears, Hears::Message(_));
                let followed = call.ear.map_or(0, |it| it.followed);
                self.seen.unheard += u64::from(is_message && followed < HEARS);
                self.over(place);
            }
            _ => {}
        }
    }

    fn answered(&mut self, place: usize, text: &str) {
        let port = text::media_port(text).unwrap_or(0);
        let length = self.roles[self.calls[place].role].length;
        let call = &mut self.calls[place];
        call.to = text::header(text, "To").unwrap_or_default().to_owned();
        call.target = text::uri(text::header(text, "Contact").unwrap_or_default()).to_owned();
        call.state = State::Up;
        call.port = port;
        (call.sequence, call.timestamp) = (place as u16, place as u32 * 7_919);
        let round = call.round;
        self.up += 1;
        self.silent.entry((port, door_of(place))).or_default().push_back((place, round));
        self.send_within(place, "ACK", 1);
        if let Some(length) = length {
            let end = self.step + length.as_millis() as u64;
            self.timers.push(Reverse((end, place, round, What::HangUp)));
        }
    }
}
