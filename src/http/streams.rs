//! Hold music as streams without end, for phone systems that read addresses:
//! `/moh/CLASS.wav`, `.opus` and `.mp3`.
//!
//! What is sent is what is heard in calls, at the pace at which it is heard: whoever reads faster waits.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde::Deserialize;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Interval, MissedTickBehavior, interval},
};

use super::Site;
use crate::{
    audio::{
        Codec,
        bed::Segment,
        g711::Law,
        g722, mp3,
        ogg::Pages,
        opus_packet::{self, FRAME_TICKS},
    },
    hold::{Bed, Beds, HoldError, Listening},
    music::DEFAULT,
    store::{self, music, tenants},
};

/// Streams at a time; phone systems read one and play it to many.
pub(super) const MOST: usize = 200;
static STREAMS: Semaphore = Semaphore::const_new(MOST);
/// Packets of 20 ms sent at once when a stream begins, so that a reader has something in hand.
const AHEAD: usize = 50;
/// Packets sent at once from then on.
const AT_ONCE: usize = 10;
/// How long a listener waits for the database.
const PATIENCE: Duration = Duration::from_secs(4);

/// What stands behind the `?`.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    tenant: Option<String>,
}

/// How a stream is written.
enum Form {
    Wav,
    Opus(Pages),
    Mp3(Box<(g722::Decoder, mp3::Encoder)>),
}

/// A stream that is being read.
struct Broadcast {
    bed: Arc<Bed>,
    /// What is being heard, and its next tick; before the first of the bed it is what introduces it.
    segment: Arc<Segment>,
    at: usize,
    introducing: bool,
    form: Form,
    pace: Interval,
    /// What goes before everything else.
    head: Option<Vec<u8>>,
    _place: SemaphorePermit<'static>,
}

/// `GET /moh/{file}`.
pub(super) async fn listen(
    State(site): State<Site>,
    Path(file): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let Some((class, (form, kind, head))) =
        file.rsplit_once('.').and_then(|(class, ending)| Some((class, begun(ending)?)))
    else {
        return said(StatusCode::NOT_FOUND, "hold music is CLASS.wav, CLASS.opus or CLASS.mp3");
    };
    let Some(beds) = &site.beds else { return nothing() };
    let Ok(place) = STREAMS.try_acquire() else {
        return said(StatusCode::SERVICE_UNAVAILABLE, "too many streams are read already");
    };
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |it| it.0);
    match found(beds, class, asked.tenant.as_deref(), host).await {
        Ok(Some(Listening { intro, bed, feed })) => {
            if let Some(feed) = feed {
                // It ends soon after the stream does.
                tokio::spawn(feed.run());
            }
            let introducing = intro.is_some();
            let (segment, at) = intro.map_or_else(|| bed.place(), |it| (Segment::whole(it), 0));
            let mut pace = interval(Duration::from_millis(20 * AT_ONCE as u64));
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let head = Some(head);
            let broadcast =
                Broadcast { bed, segment, at, introducing, form, pace, head, _place: place };
            let sound = stream::unfold(broadcast, |mut broadcast| async move {
                let some = broadcast.next().await?;
                Some((Ok::<_, std::io::Error>(some), broadcast))
            });
            ([(header::CONTENT_TYPE, kind)], Body::from_stream(sound)).into_response()
        }
        Ok(None) => nothing(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "no hold music for a stream");
            said(StatusCode::SERVICE_UNAVAILABLE, "there is no music now; try again in a moment")
        }
    }
}

fn nothing() -> Response {
    said(StatusCode::NOT_FOUND, "there is no hold music of that name")
}

fn said(status: StatusCode, sentence: &'static str) -> Response {
    (status, [(header::RETRY_AFTER, "5")], format!("{sentence}\n")).into_response()
}

/// The beginning of a stream: how it goes on, what it is, and its first bytes.
fn begun(ending: &str) -> Option<(Form, &'static str, Vec<u8>)> {
    let mut head = Vec::new();
    match ending {
        "wav" => Some((Form::Wav, "audio/wav", endless())),
        "opus" if cfg!(feature = "opus") => {
            let pages = Pages::begin(rand::random(), &mut head);
            Some((Form::Opus(pages), "audio/ogg", head))
        }
        "mp3" => {
            let encoder = mp3::Encoder::new().ok()?;
            Some((Form::Mp3(Box::new((g722::Decoder::default(), encoder))), "audio/mpeg", head))
        }
        _ => None,
    }
}

/// The head of a WAV of 16 bits at 8,000 samples a second that ends when it ends.
fn endless() -> Vec<u8> {
    let mut head = crate::audio::wav::to_wav(&[], Codec::RATE);
    for at in [4, 40] {
        head[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    head
}

async fn found(
    beds: &Beds,
    class: &str,
    tenant: Option<&str>,
    host: &str,
) -> Result<Option<Listening>, HoldError> {
    let db = beds.db();
    let tenant = async {
        match tenant {
            Some(name) => tenants::named(db, name).await,
            None => tenants::reached(db, host).await,
        }
    };
    let Some(tenant) = store::within(PATIENCE, tenant).await? else { return Ok(None) };
    let class = match class {
        DEFAULT => beds.meant(&tenant, None).await?,
        name => {
            let named = store::within(PATIENCE, music::named(db, &tenant.id, name)).await?;
            let Some(class) = named else { return Ok(None) };
            Some(class)
        }
    };
    match beds.listen(&tenant.id, class).await {
        Err(HoldError::Off(_)) => Ok(None),
        listening => listening.map(Some),
    }
}

impl Broadcast {
    /// What is sent next; `None` only if it cannot be written.
    async fn next(&mut self) -> Option<Bytes> {
        self.pace.tick().await;
        let (mut bytes, count) = match self.head.take() {
            Some(head) => (head, AHEAD),
            None => (Vec::new(), AT_ONCE),
        };
        let mut packets = Vec::with_capacity(count);
        for _ in 0..count {
            packets.push(self.packet());
        }
        let packets: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        match &mut self.form {
            Form::Wav => {
                let samples = packets.iter().copied().flatten().map(|&it| Law::Mu.decode(it));
                bytes.extend(samples.flat_map(i16::to_le_bytes));
            }
            Form::Opus(pages) => pages.push(&packets, &mut bytes),
            Form::Mp3(codecs) => {
                let (decoder, encoder) = &mut **codecs;
                let mut samples = Vec::with_capacity(2 * FRAME_TICKS * count);
                packets.iter().for_each(|it| decoder.decode(it, &mut samples));
                encoder.push(&samples, &mut bytes).ok()?;
            }
        }
        Some(bytes.into())
    }

    /// The next 20 ms; silence where there is nothing.
    fn packet(&mut self) -> Vec<u8> {
        if self.at >= self.segment.until() {
            if self.introducing {
                self.introducing = false;
                (self.segment, self.at) = self.bed.place();
            } else if let Some(next) = self.segment.next().cloned() {
                self.at = next.from();
                self.segment = next;
            }
        }
        let codec = self.form.codec();
        let until = self.segment.until().min(self.at + FRAME_TICKS);
        let sound = self.segment.clip().ready(codec).filter(|_| self.at < until);
        let packet = sound.and_then(|it| match codec {
            Codec::Opus => it.packet(self.at / FRAME_TICKS).map(<[u8]>::to_vec),
            _ => Some(it.between(self.at, until).to_vec()),
        });
        self.at = until.max(self.at);
        packet.filter(|it| !it.is_empty()).unwrap_or_else(|| self.form.silence())
    }
}

impl Form {
    fn codec(&self) -> Codec {
        match self {
            Self::Wav => Codec::Pcmu,
            Self::Opus(_) => Codec::Opus,
            Self::Mp3(_) => Codec::G722,
        }
    }

    fn silence(&self) -> Vec<u8> {
        match self {
            Self::Wav => vec![Law::Mu.silence(); FRAME_TICKS],
            Self::Opus(_) => opus_packet::SILENCE.to_vec(),
            Self::Mp3(_) => vec![g722::SILENCE; FRAME_TICKS],
        }
    }
}
