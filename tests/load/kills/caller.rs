//! One caller: leaves a message in one way or another, and notes what came of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterbeep::audio::Codec;
use afterbeep::prompts::Prompts;
use afterbeep::say::Phrase;
use tokio::time::sleep_until;

use super::ledger::{Entry, Plan, Spoken, words};
use super::{FRAME_TIME, LEAD};
use crate::phone::{self, FRAME, Phone, SILENCE};

/// How the prompts begin that a caller waits for.
pub struct Known {
    saved: Vec<Vec<u8>>,
    deleted: Vec<Vec<u8>>,
    menu: Vec<Vec<u8>>,
}

/// Frames after which a prompt is recognised.
const RECOGNISED: usize = 5;

impl Known {
    pub fn load() -> Self {
        let prompts = Prompts::load(None).unwrap();
        let beginning = |phrase| {
            let clip = prompts.clips("en", &phrase)[0].encoded(Codec::Pcmu).clone();
            let frames = clip.chunks(FRAME).filter(|it| **it != SILENCE);
            frames.take(RECOGNISED).map(<[u8]>::to_vec).collect()
        };
        Self {
            saved: beginning(Phrase::Saved),
            deleted: beginning(Phrase::Deleted),
            menu: beginning(Phrase::ReviewMenu),
        }
    }
}

/// Places the call and does what was planned.
pub async fn place(
    entry: &Entry,
    seed: u64,
    length: Duration,
    server: SocketAddr,
    known: &Arc<Known>,
) -> io::Result<()> {
    let (number, plan) = {
        let call = entry.note();
        (call.number.clone(), call.plan)
    };
    let mut phone = Phone::new().await?;
    phone.number = number;
    let mut call = match phone.call(server, "1000").await? {
        Ok(call) => call,
        Err(refused) => return Err(io::Error::other(format!("refused: {}", refused.status))),
    };
    entry.note().answered = true;
    if plan == Plan::Greeting {
        call.press('5').await?;
        return hang_up(call, entry).await;
    }
    call.skip_to_beep().await?;
    let first = if plan == Plan::Short { Duration::from_millis(400) } else { length };
    speak(&mut call, entry, seed, first).await?;
    match plan {
        Plan::Greeting | Plan::Short | Plan::HangUp => return hang_up(call, entry).await,
        Plan::Pound => {
            call.press('#').await?;
            hear(&mut call, &known.saved).await?;
            entry.note().saved = true;
            return call.until_hung_up().await;
        }
        Plan::Keep | Plan::Leave | Plan::Delete | Plan::Again | Plan::AgainShort => {
            call.press('#').await?;
            hear(&mut call, &known.menu).await?;
        }
    }
    match plan {
        Plan::Keep => {
            call.press('1').await?;
            hear(&mut call, &known.saved).await?;
            entry.note().saved = true;
            call.until_hung_up().await
        }
        Plan::Delete => {
            entry.note().asked_to_delete = true;
            call.press('*').await?;
            hear(&mut call, &known.deleted).await?;
            entry.note().deleted = true;
            call.until_hung_up().await
        }
        Plan::Again | Plan::AgainShort => {
            call.press('3').await?;
            call.until_beep_is_over().await?;
            let again = plan == Plan::Again;
            let second = if again { length } else { Duration::from_millis(400) };
            speak(&mut call, entry, seed | 1 << 63, second).await?;
            hang_up(call, entry).await
        }
        _ => hang_up(call, entry).await,
    }
}

async fn hang_up(call: phone::Call, entry: &Entry) -> io::Result<()> {
    call.hang_up().await?;
    entry.note().farewell = true;
    Ok(())
}

async fn speak(
    call: &mut phone::Call,
    entry: &Entry,
    seed: u64,
    length: Duration,
) -> io::Result<()> {
    let take = {
        let mut call = entry.note();
        call.takes.push(Spoken { seed, began: Instant::now(), sent: Vec::new() });
        call.takes.len() - 1
    };
    // The beep is over here before the recording has begun there.
    call.speak(&SILENCE.repeat((LEAD.as_millis() / FRAME_TIME.as_millis()) as usize)).await?;
    let frames = (length.as_millis() / FRAME_TIME.as_millis()) as usize;
    let mut due = tokio::time::Instant::now();
    for frame in words(seed, frames).chunks(FRAME) {
        sleep_until(due).await;
        // Noted and sent without a wait in between, so that nothing can come between them.
        entry.note().takes[take].sent.push(Instant::now());
        call.frame(frame).await?;
        due += FRAME_TIME;
    }
    sleep_until(due).await;
    Ok(())
}

/// Waits until a prompt that begins so has begun.
async fn hear(call: &mut phone::Call, beginning: &[Vec<u8>]) -> io::Result<()> {
    let mut known = 0;
    call.hear(|frame| {
        known = match frame == beginning[known] {
            true => known + 1,
            false => usize::from(frame == beginning[0]),
        };
        known == beginning.len()
    })
    .await
}
