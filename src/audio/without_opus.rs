//! Opus in a program that was built without it: it is never offered and nothing of it can be read.

/// There is none.
#[derive(Debug)]
pub enum Decoder {}

impl Decoder {
    /// `None`.
    pub fn new(_: u32) -> Option<Self> {
        None
    }

    /// Never asked.
    pub fn decode(&mut self, _: &[u8], _: &mut [i16]) -> Option<usize> {
        match *self {}
    }

    /// Never asked.
    pub fn conceal(&mut self, _: Option<&[u8]>, _: &mut [i16]) {
        match *self {}
    }
}

pub(super) fn encode(_: &[i16]) -> (Vec<u8>, Vec<u32>) {
    (Vec::new(), Vec::new())
}

pub(super) const AHEAD: usize = 0;

pub(super) fn encode_music(_: &[i16]) -> (Vec<u8>, Vec<u32>) {
    (Vec::new(), Vec::new())
}

/// There is none.
pub(super) enum Streaming {}

impl Streaming {
    pub(super) fn new() -> Option<Self> {
        None
    }

    pub(super) fn push(&mut self, _: &[i16]) -> (Vec<u8>, Vec<u32>) {
        match *self {}
    }
}
