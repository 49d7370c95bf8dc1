//! Where recordings are made of files and of texts, for verbs, programs and the server itself.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

use crate::{
    audio::{Codec, g711::Law, loudness::levelled, music::Music, resample::resample, wav},
    config::Config,
    decode::{self, RawKind, Reader},
    speech::{
        Synthesiser,
        synthesis::{Spoken, SynthesisError},
    },
};

/// What every recording is kept at, in samples a second: twice as fine as most telephones speak.
pub const RATE: u32 = decode::RATE;

/// A cheap handle; clones share their queues.
#[derive(Debug, Clone)]
pub struct Studio {
    reader: Reader,
    synthesiser: Synthesiser,
    /// How far the music is that is being made, in per cent, by what names it.
    making: Arc<Mutex<HashMap<String, u8>>>,
}

/// Music that is being made, for as long as somebody waits for it.
struct Making<'a> {
    all: &'a Mutex<HashMap<String, u8>>,
    id: &'a str,
}

impl<'a> Making<'a> {
    fn begin(all: &'a Mutex<HashMap<String, u8>>, id: &'a str) -> Self {
        let making = Self { all, id };
        making.is(0);
        making
    }

    fn is(&self, done: u8) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(self.id.to_owned(), done);
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

/// A text that is to be spoken.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// What is said.
    pub text: &'a str,
    /// In which language (`en`, `pt-BR`).
    pub language: &'a str,
    /// By whom, if not by the usual voice for the language.
    pub voice: Option<&'a str>,
}

impl Studio {
    /// `program` is our own executable, which also is the worker. Nothing is started yet.
    pub fn new(config: &Config, program: PathBuf) -> Self {
        let kept = config.spoken();
        Self {
            reader: Reader::new(program.clone()),
            synthesiser: Synthesiser::new(config.synthesis.clone(), kept, program),
            making: Arc::default(),
        }
    }

    /// With the program that runs.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let program = std::env::current_exe();
        Ok(Self::new(config, program.context("the program does not know where it lies")?))
    }

    /// The sound in a file, at [`RATE`]. A [`DecodeError`](decode::DecodeError) goes on where the
    /// name of the file ends.
    pub async fn read(&self, file: &[u8]) -> anyhow::Result<Vec<i16>> {
        Ok(self.reader.read(file).await?)
    }

    /// A file as hold music. `kind` is what its name says of one without a header; [`Studio::progress`]
    /// knows meanwhile how far it is. Fails with a [`DecodeError`](decode::DecodeError).
    pub async fn music(
        &self,
        file: &[u8],
        kind: Option<RawKind>,
        id: &str,
    ) -> anyhow::Result<Music> {
        let making = Making::begin(&self.making, id);
        Ok(self.reader.music(file, kind, |done| making.is(done)).await?)
    }

    /// Decodes live sound as it comes: pieces of [`PIECE`](decode::live::PIECE) samples at [`RATE`].
    /// Ends with an error only.
    pub async fn relay<E>(
        &self,
        sound: impl Stream<Item = Result<Bytes, E>>,
        pieces: &mpsc::Sender<Vec<i16>>,
    ) -> Result<(), decode::DecodeError> {
        self.reader.relay(sound, pieces).await
    }

    /// How far this music is, in per cent, if it is being made by this program now.
    pub fn progress(&self, id: &str) -> Option<u8> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// A text, spoken, at [`RATE`]; from what was kept if it was spoken before. Fails with a
    /// [`SynthesisError`] or, when an engine answers with a file that is none, a `DecodeError`.
    pub async fn speak(&self, script: Script<'_>) -> anyhow::Result<Vec<i16>> {
        let Script { text, language, voice } = script;
        let order = self.synthesiser.order(text, language, voice)?;
        if let Some(samples) = self.synthesiser.kept(&order).await {
            return Ok(samples);
        }
        let samples = match self.synthesiser.speak(&order).await? {
            Spoken::Samples(samples) => {
                let levelling = tokio::task::spawn_blocking(move || levelled(RATE, &samples));
                levelling.await?.context(SynthesisError::Empty)?
            }
            Spoken::File(file) => {
                self.reader.read(&file).await.context("what [synthesis] answered")?
            }
        };
        if samples.len() as u64 > decode::LONGEST.as_secs() * u64::from(RATE) {
            bail!("this text takes longer than {} s to say", decode::LONGEST.as_secs());
        }
        self.synthesiser.keep(&order, &samples).await;
        Ok(samples)
    }
}

/// What the caller at an ordinary telephone hears of a recording: 8,000 samples a second, by way of
/// G.711 µ-law.
pub fn as_heard(recording: &[u8]) -> anyhow::Result<Vec<u8>> {
    let sound = wav::from_wav(recording, decode::LONGEST.as_secs())?;
    let narrow = resample(&sound.samples, sound.rate, Codec::RATE);
    let heard: Vec<i16> = narrow.iter().map(|&it| Law::Mu.decode(Law::Mu.encode(it))).collect();
    Ok(wav::to_wav(&heard, Codec::RATE))
}
