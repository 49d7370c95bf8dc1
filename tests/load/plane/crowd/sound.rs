//! What callers say and hear.

use std::net::SocketAddrV4;

use super::super::ear::Hears;
use super::super::net;
use super::super::signal::FRAME;
use super::call::{Call, State};
use super::{Crowd, DOORS, LOOKS, PHASES};

/// The packets of a key of 100 ms (RFC 4733 §2.5).
pub type Press = [[u8; 4]; 7];
pub const POUND: Press = press(11);
pub const ONE: Press = press(1);
/// Of calls in which a message is to be heard, so many packets are of it at least.
pub(super) const HEARS: u32 = 500;

const fn press(key: u8) -> Press {
    let end = [key, 0x8a, 3, 32];
    let sounding = [[key, 10, 0, 160], [key, 10, 1, 64], [key, 10, 1, 224], [key, 10, 2, 128]];
    let [one, two, three, four] = sounding;
    [one, two, three, four, end, end, end]
}

impl Crowd {
    /// Everybody whose turn it is says the next packet.
    pub(super) fn speak(&mut self) {
        let phase = self.step as usize % PHASES;
        for door in 0..DOORS {
            for &place in self.phases[phase].iter().filter(|it| *it / PHASES % DOORS == door) {
                let call = &mut self.calls[place];
                let role = &self.roles[call.role];
                let Some(says) = role.says.filter(|_| call.state == State::Up) else { continue };
                let to = SocketAddrV4::new(*self.server.ip(), call.port);
                let mut header = call.next_header(place as u32);
                let sound: &'static [u8] = match call.press(role.keys, &mut header) {
                    Some(event) => event,
                    None => call.next_frame(says),
                };
                self.outbox.push(to, header, sound);
                self.seen.sent += 1;
            }
            self.seen.unsent += self.outbox.flush(&self.doors[phase * DOORS + door].0) as u64;
        }
    }

    pub(super) fn listen(&mut self, door: usize) {
        loop {
            let count = self.inbox.receive(&self.doors[door].0);
            for at in 0..count {
                let (from, stamp, bytes) = self.inbox.datagram(at);
                let Some(ssrc) = bytes.get(8..12).and_then(|it| it.try_into().ok()) else {
                    continue;
                };
                let stream = (from.port(), u32::from_be_bytes(ssrc));
                // Many calls may hear one port of the server: which of them a new stream is for nobody says,
                // and does not matter.
                let owner = self.streams.get(&stream).copied().or_else(|| {
                    let silent = self.silent.get_mut(&(from.port(), door))?;
                    let is_new = |it: &(usize, u32)| self.calls[it.0].round == it.1;
                    let owner = std::iter::from_fn(|| silent.pop_front()).find(is_new)?;
                    self.streams.insert(stream, owner);
                    Some(owner)
                });
                let Some((place, round)) = owner else { continue };
                let call = &mut self.calls[place];
                let hears = self.roles[call.role].hears;
                // What was on its way to the one before is not for who has the port now.
                let is_theirs = call.state == State::Up && call.round == round;
                if is_theirs && !matches!(hears, Hears::Nothing) {
                    self.seen.heard.take(&mut call.ear, stamp, bytes, hears);
                }
            }
            if count < net::BATCH {
                break;
            }
        }
        // Reports are only counted by the kernel; nobody here needs what they say.
        while self.step % 100 < LOOKS as u64 && self.inbox.receive(&self.doors[door].1) > 0 {}
    }
}

impl Call {
    /// The next packet of a key whose time has come, and its header.
    fn press(
        &mut self,
        keys: &'static [(u32, &'static Press)],
        header: &mut [u8; 12],
    ) -> Option<&'static [u8]> {
        let (_, press) = keys.get(self.keys).filter(|it| it.0 <= self.spoken)?;
        let event = &press[self.pressed];
        header[1] = 101 | if self.pressed == 0 { 0x80 } else { 0 };
        self.pressed += 1;
        let began = self.timestamp.wrapping_sub((FRAME * self.pressed) as u32);
        header[4..8].copy_from_slice(&began.to_be_bytes());
        if self.pressed == press.len() {
            (self.keys, self.pressed) = (self.keys + 1, 0);
        }
        Some(event)
    }

    fn next_frame(&mut self, says: &'static [u8]) -> &'static [u8] {
        let from = self.frame * FRAME % says.len();
        (self.frame, self.spoken) = (self.frame + 1, self.spoken + 1);
        &says[from..from + FRAME]
    }
}
