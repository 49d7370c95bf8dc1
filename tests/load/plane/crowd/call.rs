//! One caller: in which call they are, and how far it is.

use super::super::ear::Ear;
use super::super::signal::FRAME;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Asking,
    Up,
    Leaving,
}

pub(super) struct Call {
    pub(super) state: State,
    pub(super) role: usize,
    /// Which call in this place it is: what comes for an earlier one is not for it.
    pub(super) round: u32,
    pub(super) asked: u64,
    pub(super) tries: u32,
    pub(super) to: String,
    pub(super) target: String,
    pub(super) port: u16,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// The next frame of what is said, and packets sent so far.
    pub(super) frame: usize,
    pub(super) spoken: u32,
    /// Keys pressed so far, and packets sent of the one that is being pressed.
    pub(super) keys: usize,
    pub(super) pressed: usize,
    pub(super) ear: Option<Ear>,
}

impl Call {
    pub(super) fn new(role: usize) -> Self {
        Self {
            state: State::Idle,
            role,
            round: 0,
            asked: 0,
            tries: 0,
            to: String::new(),
            target: String::new(),
            port: 0,
            sequence: 0,
            timestamp: 0,
            frame: 0,
            spoken: 0,
            keys: 0,
            pressed: 0,
            ear: None,
        }
    }

    pub(super) fn next_header(&mut self, ssrc: u32) -> [u8; 12] {
        let mut header = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..].copy_from_slice(&ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        header
    }
}
