//! RTCP of one leg: what is reported, when and to whom (RFC 3550 §6).

use std::{
    net::{SocketAddr, UdpSocket},
    sync::atomic::Ordering::Relaxed,
};

use super::{
    line::{Call, Kit},
    reception::Reception,
    rtcp::{self, CNAME, Heard, LONGEST, Report},
    speaker::Speaker,
    tally::{LiveStats, Tally, add},
};
use crate::{clock::Clock, srtp::RTCP_OVERHEAD};

/// How often the socket is looked at, at most.
const LOOK_MS: u64 = 100;
/// The time between two reports is this, half a second more or less by lot (§6.3.1).
const EVERY_MS: u64 = 4_500;

/// See the module.
#[derive(Debug)]
pub(super) struct Reports {
    local: SocketAddr,
    cname: [u8; CNAME],
    every_ms: u64,
    looked: u64,
    /// The socket tells when something comes.
    watched: bool,
    /// It did.
    waits: bool,
    due: Option<u64>,
    /// Where the other side's reports come from.
    learned: Option<SocketAddr>,
    packets_reported: u32,
}

/// What a report speaks of.
pub(super) struct Subject<'a> {
    pub(super) call: &'a mut Call,
    pub(super) speaker: &'a Speaker,
    pub(super) reception: &'a mut Reception,
}

impl Reports {
    /// `name` is drawn by lot, and names this side for as long as the call lasts (RFC 7022).
    pub(super) fn new(local: SocketAddr, name: u64) -> Self {
        let digit = |at: usize| b"0123456789abcdef"[(name >> (at * 4)) as usize & 15];
        Self {
            local,
            cname: std::array::from_fn(digit),
            every_ms: EVERY_MS + name % 1_000,
            looked: 0,
            watched: false,
            waits: false,
            due: None,
            learned: None,
            packets_reported: 0,
        }
    }

    /// The other side may have moved.
    pub(super) fn begin(&mut self, now: u64) {
        self.learned = None;
        self.due.get_or_insert(now + self.every_ms / 2);
    }

    /// Something has come.
    pub(super) fn wake(&mut self) {
        (self.watched, self.waits) = (false, true);
    }

    /// Reads what has come to the socket, but not too often; `number` is what it is watched by. `true`
    /// when the other side was heard.
    pub(super) fn read(
        &mut self,
        now: u64,
        subject: &mut Subject<'_>,
        (socket, number): (&UdpSocket, u64),
        (kit, stats): (&mut Kit, &LiveStats),
        tally: &Tally,
    ) -> bool {
        if self.watched || now < self.looked + LOOK_MS {
            return false;
        }
        if !self.waits {
            self.watched = kit.watch.watch(socket, number);
            if self.watched {
                return false;
            }
        }
        (self.looked, self.waits) = (now, false);
        let (mut heard, batch) = (false, &mut kit.batch);
        for at in 0..batch.receive(socket) {
            let Some((from, datagram)) = batch.datagram(at) else { continue };
            if !subject.call.source.admits_reports_from(from) {
                add(&tally.strangers, 1);
                continue;
            }
            let Some(datagram) = subject.call.secret.open_report(datagram) else {
                add(&tally.forged, 1);
                continue;
            };
            let reception = &mut *subject.reception;
            let whole = rtcp::read(datagram, |it| match it {
                Heard::Sender(ssrc, middle) => reception.sender_report(now, ssrc, middle),
                Heard::Block(block) if block.ssrc == subject.speaker.ssrc => {
                    stats.lost_there.store(block.lost.into(), Relaxed);
                }
                Heard::Block(_) | Heard::Bye(_) => {}
            });
            if whole {
                heard = true;
                self.learned = Some(from);
            } else {
                add(&tally.malformed, 1);
            }
        }
        heard
    }

    /// Writes a report when one is due.
    pub(super) fn write(&mut self, now: u64, subject: Subject<'_>, socket: &UdpSocket) {
        if self.due.is_some_and(|due| now >= due) {
            self.due = Some(now + self.every_ms);
            self.send(now, subject, socket, false);
        }
    }

    /// Writes a last report and BYE, if the stream had begun.
    pub(super) fn bye(&mut self, now: u64, subject: Subject<'_>, socket: &UdpSocket) {
        self.send(now, subject, socket, true);
    }

    fn send(&mut self, now: u64, subject: Subject<'_>, socket: &UdpSocket, bye: bool) {
        let Some(to) = self.to(&subject) else { return };
        let sent = subject.speaker.sent(now, rtcp::ntp(Clock::Real.now().0));
        let any = sent.packets != self.packets_reported;
        self.packets_reported = sent.packets;
        let mut bytes = [0; LONGEST + RTCP_OVERHEAD];
        let Some(plain) = bytes.first_chunk_mut() else { return };
        let report = Report {
            ssrc: subject.speaker.ssrc,
            cname: &self.cname,
            sent: any.then_some(sent),
            block: subject.reception.report(now),
            bye,
        };
        let length = report.write(plain);
        let length = subject.call.secret.seal_report(&mut bytes, length);
        // A lost report is made up for by the next.
        let _ = socket.send_to(&bytes[..length], to);
    }

    fn to(&self, subject: &Subject<'_>) -> Option<SocketAddr> {
        let rtp = subject.call.source.send_to();
        let told = subject.call.stream.remote_rtcp.filter(|it| it.ip() == rtp.ip());
        let next = SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?);
        let to = self.learned.or(told).unwrap_or(next);
        subject.call.stream.reaches(to, self.local).then_some(to)
    }
}
