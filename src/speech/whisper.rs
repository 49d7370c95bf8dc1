//! whisper.cpp, with the settings that were measured to pay.
//!
//! Greedy search, no context from window to window (it spreads a mistake), and an encoder window
//! cut to the length of the message: the whole one always costs 30 seconds of computing.

use std::ffi::c_int;
use std::path::Path;

use anyhow::{Context, ensure};
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperSegment,
    WhisperState, get_lang_id, get_lang_str,
};

use super::worker::Heard;
use crate::mailbox::Segment;

/// A model in memory.
pub(super) struct Engine {
    context: WhisperContext,
    threads: usize,
}

/// Encoder positions of a full window of 30 seconds.
const WINDOW: usize = 1500;
/// Positions kept beyond the message's own; fewer lose its last words.
const MARGIN: usize = 128;
/// Samples of one encoder position: 20 ms.
const POSITION: usize = super::RATE as usize / 50;

impl Engine {
    pub(super) fn load(path: &Path, threads: usize) -> anyhow::Result<Self> {
        whisper_rs::install_logging_hooks();
        let mut parameters = WhisperContextParameters::default();
        parameters.use_gpu(false);
        let context = WhisperContext::new_with_params(path, parameters)
            .with_context(|| format!("{} cannot be loaded as a model", path.display()))?;
        Ok(Self { context, threads: threads.clamp(1, 64) })
    }

    /// Samples at 16,000 a second. An unknown language is detected.
    ///
    /// Each job has a state of its own, so that nothing of one message reaches another.
    pub(super) fn transcribe(
        &self,
        samples: &[f32],
        language: Option<&str>,
        among: &[String],
    ) -> anyhow::Result<Heard> {
        ensure!(!samples.is_empty(), "no samples");
        let mut state = self.context.create_state().context("no memory for another job")?;
        let language = match language.and_then(known) {
            _ if !self.context.is_multilingual() => "en",
            Some(given) => given,
            None => self.detect(&mut state, samples, among)?,
        };
        state.full(self.parameters(samples.len(), language), samples)?;
        let segments = state.as_iter().map(|it| self.segment(&it)).collect();
        Ok(Heard { language: language.to_owned(), segments })
    }

    fn parameters(&self, samples: usize, language: &'static str) -> FullParams<'static, 'static> {
        let mut it = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        it.set_n_threads(c_int::try_from(self.threads).unwrap_or(1));
        it.set_language(Some(language));
        it.set_no_context(true);
        it.set_audio_ctx(c_int::try_from(window(samples)).unwrap_or(0));
        it.set_print_special(false);
        it.set_print_progress(false);
        it.set_print_realtime(false);
        it.set_print_timestamps(false);
        it
    }

    /// The likeliest language of the first 30 seconds; one of `among` unless that is empty.
    fn detect(
        &self,
        state: &mut WhisperState,
        samples: &[f32],
        among: &[String],
    ) -> anyhow::Result<&'static str> {
        let allowed: Vec<c_int> = among.iter().filter_map(|it| get_lang_id(known(it)?)).collect();
        if let [only] = allowed[..] {
            return get_lang_str(only).context("a language without a name");
        }
        let first = &samples[..samples.len().min(WINDOW * POSITION)];
        // Detection has no window of its own and would compute 30 seconds. It takes over that of the
        // last call, and a call for the first 100 ms sets the window but encodes nothing.
        let mut nothing = self.parameters(first.len(), "en");
        nothing.set_duration_ms(100);
        state.full(nothing, first)?;
        let (likeliest, chances) = state.lang_detect(0, self.threads)?;
        let chance = |id: c_int| usize::try_from(id).ok().and_then(|it| chances.get(it).copied());
        let best = allowed
            .into_iter()
            .max_by(|&a, &b| chance(a).unwrap_or(0.0).total_cmp(&chance(b).unwrap_or(0.0)));
        get_lang_str(best.unwrap_or(likeliest)).context("a language without a name")
    }

    fn segment(&self, it: &WhisperSegment<'_>) -> Segment {
        let text = it.to_str_lossy().map(|it| it.into_owned()).unwrap_or_default();
        let (start_ms, end_ms) = (millis(it.start_timestamp()), millis(it.end_timestamp()));
        Segment { start_ms, end_ms, text, confidence: self.confidence(it) }
    }

    /// The mean probability of the tokens that are text; times and marks have ids from `eot` on.
    fn confidence(&self, it: &WhisperSegment<'_>) -> f32 {
        let tokens = (0..it.n_tokens()).filter_map(|at| it.get_token(at));
        let words = tokens.filter(|token| token.token_id() < self.context.token_eot());
        let chances: Vec<f32> = words.map(|token| token.token_probability()).collect();
        if chances.is_empty() { 0.0 } else { chances.iter().sum::<f32>() / chances.len() as f32 }
    }
}

/// Encoder positions for so many samples.
fn window(samples: usize) -> usize {
    WINDOW.min(samples / POSITION + MARGIN)
}

/// Hundredths of a second to milliseconds.
fn millis(hundredths: i64) -> u32 {
    u32::try_from(hundredths.max(0).saturating_mul(10)).unwrap_or(u32::MAX)
}

/// The engine's own name of a language, also of one given with its region (`en-GB`).
fn known(language: &str) -> Option<&'static str> {
    let base = language.split(['-', '_']).next()?.to_ascii_lowercase();
    let sound = !base.is_empty() && base.bytes().all(|it| it.is_ascii_lowercase());
    get_lang_str(sound.then(|| get_lang_id(&base))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_message_up_to_thirty_seconds() {
        let at = |seconds: usize| window(seconds * super::super::RATE as usize);
        assert_eq!([at(0), at(10), at(27), at(28), at(300)], [128, 628, 1478, 1500, 1500]);
    }

    #[test]
    fn languages_are_known_by_their_first_part() {
        assert_eq!(known("fr-CA"), Some("fr"));
        assert_eq!(known("EN_us"), Some("en"));
        for nonsense in ["", "-", "klingon", "e\0n", "auto"] {
            assert_eq!(known(nonsense), None, "{nonsense:?}");
        }
    }
}
