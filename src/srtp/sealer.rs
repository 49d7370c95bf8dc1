//! What leaves.

use super::{
    Key,
    session::{Session, Use},
};

/// Encrypts what one side of a call sends.
pub struct Sealer {
    key: Key,
    rtp: Session,
    rtcp: Session,
    /// The stream that is being sent, and the number of its last packet (RFC 3711 §3.3.1).
    stream: Option<(u32, u64)>,
    /// Of the next report.
    reports: u32,
}

impl Sealer {
    /// With our key.
    pub fn new(key: Key) -> Self {
        let (rtp, rtcp) = (Session::new(&key, Use::Rtp), Session::new(&key, Use::Rtcp));
        Self { key, rtp, rtcp, stream: None, reports: 1 }
    }

    /// The key it was made with.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Encrypts the first `length` bytes, a packet of RTP with nothing but a plain header, and puts its
    /// tag behind. Answers how long it is then, or 0 when there is no room.
    pub fn seal(&mut self, buffer: &mut [u8], length: usize) -> usize {
        let whole = length + self.rtp.tag;
        let packet = buffer.get_mut(..whole).and_then(|it| it.get_mut(..length));
        let Some((header, payload)) = packet.and_then(|it| it.split_at_mut_checked(12)) else {
            return 0;
        };
        let sequence = u16::from_be_bytes([header[2], header[3]]);
        let ssrc = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let index = match self.stream {
            Some((same, last)) if same == ssrc => {
                last + u64::from(sequence.wrapping_sub(last as u16))
            }
            _ => sequence.into(),
        };
        self.stream = Some((ssrc, index));
        self.rtp.crypt(ssrc, index, payload);
        let round = ((index >> 16) as u32).to_be_bytes();
        let tag = self.rtp.tag(&buffer[..length], &round);
        buffer[length..whole].copy_from_slice(&tag[..self.rtp.tag]);
        whole
    }

    /// The same for RTCP (§3.4).
    pub fn seal_report(&mut self, buffer: &mut [u8], length: usize) -> usize {
        let (numbered, whole) = (length + 4, length + 4 + self.rtcp.tag);
        let packet = buffer.get_mut(..whole).and_then(|it| it.get_mut(..length));
        let Some((header, body)) = packet.and_then(|it| it.split_at_mut_checked(8)) else {
            return 0;
        };
        let ssrc = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let number = self.reports;
        self.reports = (self.reports + 1) & 0x7fff_ffff;
        self.rtcp.crypt(ssrc, number.into(), body);
        // The first bit says that it is encrypted.
        buffer[length..numbered].copy_from_slice(&(number | 1 << 31).to_be_bytes());
        let tag = self.rtcp.tag(&buffer[..numbered], &[]);
        buffer[numbered..whole].copy_from_slice(&tag[..self.rtcp.tag]);
        whole
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("key", &self.key).finish_non_exhaustive()
    }
}
