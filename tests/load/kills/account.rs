//! The account: what the callers were promised against what lies in the mailbox.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use afterbeep::audio::{g711, wav};
use afterbeep::blobs::Blobs;
use afterbeep::call::spool::{self, Spool};
use afterbeep::store::messages::{self, Message, Page};
use afterbeep::store::{Db, mailboxes};

use super::super::post::Letter;
use super::ledger::{Call, Entry, Plan, Stall};
use super::{FRAME_TIME, Report};
use crate::house::House;
use crate::phone::FRAME;

/// What a running call may lose: a second, and a round of the spool.
const LOSS: Duration = Duration::from_millis(1_100);
/// Who has spoken so long when the server dies has left a message.
const SPOKEN: Duration = Duration::from_secs(3);
/// Silence before the first word and behind the last, at most, in samples: on a busy machine the
/// phone takes a while to notice that the beep is over.
const QUIET: usize = 24_000;

/// What is to be found of a call.
struct Due {
    /// One of these takes must be there; none of them: nothing must.
    must: Vec<usize>,
    /// These may be there.
    may: Vec<usize>,
    /// To the last sample, and not as interrupted.
    whole: bool,
}

/// A message as it was found.
struct Found {
    message: Message,
    samples: Vec<i16>,
}

/// Compares; the server is stopped.
pub async fn settle(
    house: &House,
    ledger: &[Entry],
    stalls: &[Stall],
    letters: &[Letter],
    report: &mut Report,
) {
    let db = house.db().await;
    let blobs = Blobs::open(&house.data().join("blobs")).unwrap();
    let mut by_number: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    let mut ids = HashSet::new();
    for message in all(&db).await {
        ids.insert(message.id.to_string());
        report.messages += 1;
        report.interrupted += u64::from(message.envelope.interrupted);
        let number = message.envelope.caller.number.clone().unwrap_or_default();
        let samples = match blobs.get(&message.blob).await {
            Ok(file) => wav::from_wav(&file, 3_600).unwrap().samples,
            Err(error) => {
                report.wrong(&number, format!("{} has no recording: {error}", message.id));
                continue;
            }
        };
        by_number.entry(number).or_default().push(Found { message, samples });
    }
    for entry in ledger {
        let call = entry.note();
        let found = by_number.remove(&call.number).unwrap_or_default();
        check(&call, &found, stalls, report);
    }
    for number in by_number.keys() {
        report.wrong(number, "nobody called from there".into());
    }
    for key in blobs.list().await.unwrap() {
        let id = key.rsplit('/').next().and_then(|it| it.strip_suffix(".wav")).unwrap_or("");
        if key.starts_with("messages/") && !ids.contains(id) {
            report.wrong(&key, "a recording nothing refers to".into());
        }
    }
    db.close().await;
    check_letters(letters, &ids, report);
    let settings = spool::Settings { directory: house.data().join("spool"), ..Default::default() };
    for left in Spool::open(&settings).unwrap().1 {
        report.wrong(&left.take.id.to_string(), "is left in the spool".into());
    }
}

fn check(call: &Call, found: &[Found], stalls: &[Stall], report: &mut Report) {
    report.count(call);
    let due = due(call);
    let wrong = |report: &mut Report, what: String| {
        let told = format!(
            "{what} [{:?}; farewell {}, saved {}, deleted {}, cut {}, spoken {:?}]",
            call.plan,
            call.farewell,
            call.saved,
            call.deleted,
            call.cut.is_some(),
            call.takes.iter().map(|it| it.length(call.cut)).collect::<Vec<_>>()
        );
        report.wrong(&call.number, told);
    };
    if let Some(why) = &call.failed {
        wrong(report, format!("the call went wrong: {why}"));
    }
    let mut there = Vec::new();
    for Found { message, samples } in found {
        let takes = call.takes.iter().map(|it| kept(samples, &it.sound()));
        let Some((take, kept)) =
            takes.enumerate().filter_map(|(n, it)| Some((n, it?))).max_by_key(|it| it.1)
        else {
            if call.takes.iter().any(|it| it.stalled(stalls)) {
                report.stalled += 1;
                there.extend(0..call.takes.len());
                continue;
            }
            wrong(report, format!("{} is not what was said: {}", message.id, story(samples, call)));
            continue;
        };
        if there.contains(&take) {
            wrong(report, format!("{} is there twice", message.id));
        }
        there.push(take);
        if !due.must.contains(&take) && !due.may.contains(&take) {
            wrong(report, format!("{} came back (take {take})", message.id));
        }
        let spoken = &call.takes[take];
        let is_whole = kept == spoken.sent.len() * FRAME;
        let lacks = FRAME_TIME * (spoken.until(call.cut).saturating_sub(kept) / FRAME) as u32;
        if due.whole && (!is_whole || message.envelope.interrupted) {
            wrong(report, format!("{} lacks {lacks:?} or is marked interrupted", message.id));
        }
        if !is_whole && !message.envelope.interrupted {
            wrong(report, format!("{} lacks {lacks:?} and does not say so", message.id));
        }
        if lacks > LOSS {
            wrong(report, format!("{} lacks {lacks:?}", message.id));
        }
        report.lacking.push(lacks);
    }
    if !due.must.is_empty() && !due.must.iter().any(|it| there.contains(it)) {
        wrong(report, "is lost".into());
    }
    report.both_takes += u64::from(there.len() > 1);
}

/// Where a recording and what was said part.
fn story(stored: &[i16], call: &Call) -> String {
    let lead = stored.iter().take_while(|it| **it == 0).count();
    let takes = call.takes.iter().map(|it| {
        let said: Vec<i16> = it.sound().iter().map(|&it| g711::ULAW[usize::from(it)]).collect();
        let first = said.iter().take_while(|it| **it == 0).count();
        let both = stored[lead..].iter().zip(&said[first..]);
        both.take_while(|(stored, said)| stored == said).count()
    });
    let same: Vec<_> = takes.collect();
    format!("{} samples, {lead} silent, then {same:?} right", stored.len())
}

/// The promise, as the caller could see it.
fn due(call: &Call) -> Due {
    let last = call.takes.len().checked_sub(1);
    let nothing = Due { must: vec![], may: vec![], whole: false };
    let Some(last) = last.filter(|_| !call.deleted) else { return nothing };
    if call.plan == Plan::Short {
        // Too short to be kept; but nobody knows how long a call would have been that was cut.
        let may = if call.farewell { vec![] } else { vec![0] };
        return Due { may, ..nothing };
    }
    if call.farewell || call.saved {
        let one = if call.plan == Plan::AgainShort { 0 } else { last };
        return Due { must: vec![one], may: vec![], whole: true };
    }
    let whole = false;
    if call.asked_to_delete {
        return Due { may: vec![last], ..nothing };
    }
    // A first take stays until there is a better one.
    if last == 1 {
        return Due { must: vec![0, 1], may: vec![], whole };
    }
    match call.takes[0].length(call.cut) >= SPOKEN {
        true => Due { must: vec![0], may: vec![], whole },
        false => Due { must: vec![], may: vec![0], whole },
    }
}

/// How much of what was said the recording holds from its first word on; `None` if it holds
/// anything else.
pub fn kept(stored: &[i16], said: &[u8]) -> Option<usize> {
    let said: Vec<i16> = said.iter().map(|&it| g711::ULAW[usize::from(it)]).collect();
    let sounds = |it: &i16| *it != 0;
    let Some(first) = stored.iter().position(sounds) else {
        return (stored.len() <= QUIET).then_some(0);
    };
    let lead = first.checked_sub(said.iter().position(sounds)?)?;
    let words = &stored[lead..];
    let kept = words.len().min(said.len());
    let is_right = words[..kept] == said[..kept] && !words[kept..].iter().any(sounds);
    (is_right && lead <= QUIET && words.len() - kept <= QUIET).then_some(kept)
}

fn check_letters(letters: &[Letter], messages: &HashSet<String>, report: &mut Report) {
    let mut copies: BTreeMap<&str, u64> = BTreeMap::new();
    for letter in letters {
        *copies.entry(letter.message_id.split('@').next().unwrap_or_default()).or_default() += 1;
    }
    for (id, copies) in &copies {
        if !messages.contains(*id) {
            report.wrong(id, "a letter about a message that is not there".into());
        }
        if *copies > 2 {
            report.wrong(id, format!("was mailed {copies} times"));
        }
    }
    for id in messages.iter().filter(|it| !copies.contains_key(it.as_str())) {
        report.wrong(id, "was never mailed".into());
    }
    report.letters = letters.len() as u64;
    report.mailed_twice = copies.values().filter(|it| **it == 2).count() as u64;
}

async fn all(db: &Db) -> Vec<Message> {
    let mailbox = mailboxes::reached(db, "localhost", "1000").await.unwrap().unwrap();
    let mut all: Vec<Message> = Vec::new();
    loop {
        let before = all.last().map(|it| (it.envelope.received, it.id));
        let page = Page { before, most: Page::LONGEST };
        let some = messages::list(db, &mailbox.id, None, page).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}
