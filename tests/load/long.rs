//! Long calls with session timers (RFC 4028), through Kamailio: signs of life are given by either side
//! in either way while sound goes on, and callers who vanish are noticed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use afterbeep::audio::g711;
use futures::future::join_all;
use tokio::time::Instant;

use crate::figures::{Findings, committed, mailbox};
use crate::house::House;
use crate::kills::words;
use crate::phone::lasting::{Seen, Signs};
use crate::phone::{Call, FRAME, Phone};
use crate::proxy::Kamailio;

/// Numbers of callers who vanish begin here.
const VANISHING: u32 = 100;
/// What may be kept besides what was said: the beep dies away before, the hang-up is on its way after.
const EDGE: Duration = Duration::from_secs(1);
/// How far from its time the end of a lost call may be.
const LATE: Duration = Duration::from_secs(2);

/// How the calls are.
#[derive(Debug, Clone, Copy)]
pub struct Long {
    /// Seconds spoken.
    pub seconds: u64,
    /// Seconds in which a sign of life is wanted: 90, the least there is, or less for a quick look.
    pub interval: u64,
}

/// A call as its caller saw it.
struct Told {
    number: u32,
    what: String,
    said: Vec<u8>,
    seen: Seen,
    /// From the last sign of life until the server hung up.
    ended: Option<Duration>,
}

/// One call of each kind, all at once.
pub async fn long_calls(long: Long) -> Findings {
    // A shorter interval is borne where all repetitions are quicker.
    let t1 = long.interval * 1_000 / 180;
    let house = House::start(&format!(
        "[sip]\nt1 = \"{t1}ms\"\n[deposit]\nlongest = \"10m\"\nsilence = \"0s\"\n\
         [rtp]\ntimeout = \"0s\"\n[speech]\nmodels = \"/nonexistent\"\n"
    ));
    let kamailio = Kamailio::start(house.sip).await;
    let server = kamailio.address;
    let kinds =
        [Signs::OursByInvite, Signs::OursByUpdate, Signs::TheirsByInvite, Signs::TheirsByUpdate];
    let staying = (0..).zip(kinds).map(|(number, signs)| stay(server, number, signs, long));
    let lost = [Signs::OursByUpdate, Signs::TheirsByUpdate];
    let leaving =
        (VANISHING..).zip(lost).map(|(number, signs)| vanish(server, number, signs, long));
    let (stayed, left) = tokio::join!(join_all(staying), join_all(leaving));

    let mut findings = Findings::default();
    let mut calls = Vec::new();
    for outcome in stayed.into_iter().chain(left) {
        match outcome {
            Ok(told) => calls.push(told),
            Err(error) => findings.wrongs.push(format!("a call failed: {error}")),
        }
    }
    let db = house.db().await;
    let mailbox = mailbox(&db).await;
    for told in calls {
        match committed(&db, &mailbox, told.number).await {
            Some(message) => told.compare(&house.sound(message.id), long, &mut findings),
            None => findings.wrongs.push(format!("{}: no message", told.what)),
        }
    }
    db.close().await;
    findings
}

/// Speaks to the end and hangs up.
async fn stay(server: SocketAddr, number: u32, signs: Signs, long: Long) -> io::Result<Told> {
    let (mut call, _) = begin(server, number, signs, long).await?;
    let said = words(number.into(), long.seconds as usize * 50);
    let seen = call.speak_lasting(&said, signs, long.interval).await?;
    call.hang_up().await?;
    Ok(Told { number, what: format!("{signs:?}"), said, seen, ended: None })
}

/// Speaks for a third of the interval and is no more.
async fn vanish(server: SocketAddr, number: u32, signs: Signs, long: Long) -> io::Result<Told> {
    let (mut call, answered) = begin(server, number, signs, long).await?;
    let said = words(number.into(), long.interval as usize * 50 / 3);
    let seen = call.speak_lasting(&said, signs, long.interval).await?;
    let until = answered + Duration::from_secs(long.interval * 2);
    let ended = call.vanish(until).await? - seen.last.unwrap_or(answered);
    let what = format!("{signs:?}, who vanishes");
    Ok(Told { number, what, said, seen, ended: Some(ended) })
}

/// A call at its beep, and when it was answered.
async fn begin(
    server: SocketAddr,
    number: u32,
    signs: Signs,
    long: Long,
) -> io::Result<(Call, Instant)> {
    let mut phone = Phone::new().await?;
    phone.number = number.to_string();
    let called = phone.call_lasting(server, "1000", signs, long.interval).await?;
    let mut call = called.map_err(|it| io::Error::other(format!("refused: {}", it.status)))?;
    let answered = Instant::now();
    call.skip_to_beep().await?;
    Ok((call, answered))
}

impl Told {
    /// Tells what became of it, and what of that is wrong.
    fn compare(&self, stored: &[i16], long: Long, findings: &mut Findings) {
        let said: Vec<i16> = self.said.iter().map(|&it| g711::ULAW[usize::from(it)]).collect();
        let differs = differences(stored, &said);
        let seconds = |samples: usize| samples as f64 / 8_000.0;
        let (said, kept) = (seconds(said.len()), seconds(stored.len()));
        findings.notes.push(format!(
            "{:<30} {:>2} signs  {said:>7.2} s said  {kept:>7.2} s kept  {} gaps  latest packet {:>3} ms{}",
            self.what,
            self.seen.signs,
            differs.len(),
            self.seen.late.as_millis(),
            self.ended.map_or(String::new(), |it| format!("  ended after {:.1} s", it.as_secs_f64())),
        ));
        let mut wrong = |what: String| findings.wrongs.push(format!("{}: {what}", self.what));
        for (at, length) in differs.into_iter().map(|(at, it)| (seconds(at), seconds(it))) {
            wrong(format!("{length:.3} s from {at:.3} s on are not as they were said"));
        }
        if self.ended.is_none() && kept - said > EDGE.as_secs_f64() {
            wrong("it is longer than what was said".into());
        }
        match self.ended {
            None if (self.seen.signs as u64) < long.seconds * 2 / long.interval => {
                wrong("too few signs of life".into());
            }
            Some(it) if !long.ends().contains(&it) => wrong("it ended at the wrong time".into()),
            _ => {}
        }
    }
}

/// Where what is stored is not silence, what was said, and silence: places and lengths. All of it,
/// if not even the beginning is there.
fn differences(stored: &[i16], said: &[i16]) -> Vec<(usize, usize)> {
    let Some(begin) = stored.windows(FRAME).position(|it| it == &said[..FRAME]) else {
        return vec![(0, stored.len())];
    };
    let expected = |at: usize| at.checked_sub(begin).and_then(|it| said.get(it)).unwrap_or(&0);
    let end = stored.len().max(begin + said.len());
    let wrong = (0..end).filter(|&at| stored.get(at).unwrap_or(&0) != expected(at));
    let mut found: Vec<(usize, usize)> = Vec::new();
    for at in wrong {
        match found.last_mut() {
            // A sample may be right by chance.
            Some((from, length)) if at - (*from + *length) < FRAME => *length = at + 1 - *from,
            _ => found.push((at, 1)),
        }
    }
    found
}

impl Long {
    /// When a lost call may end: a sign of ours that nobody answers may tell before its time is over,
    /// which is a third of the interval before its end (RFC 4028 §10).
    fn ends(self) -> std::ops::Range<Duration> {
        let interval = Duration::from_secs(self.interval);
        interval / 2..interval * 2 / 3 + LATE
    }
}
