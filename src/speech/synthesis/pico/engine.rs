//! Pico's own engine, and the voices it speaks with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use ttspico::{EngineStatus, PicoError};

use crate::speech::synthesis::cache::{self, VOICE};
use crate::sys::voice;

/// What makes a voice: the file of how texts are read, and that of how they sound.
pub(super) struct Files {
    texts: PathBuf,
    sounds: PathBuf,
}

/// A voice, ready to speak.
pub(super) struct Engine(ttspico::Engine);

/// Samples asked for at a time.
const SOME: usize = 1_024;
/// The most samples of one text; Pico ends long before, unless it does not end.
const MOST: usize = 600 * crate::speech::RATE as usize;

macro_rules! voice {
    ($texts:literal, $sounds:literal) => {
        (
            include_bytes!(concat!("../../../../assets/voices/", $texts, "_ta.bin")).as_slice(),
            include_bytes!(concat!("../../../../assets/voices/", $sounds, "_sg.bin")).as_slice(),
        )
    };
}

/// Makes sure that the files of a voice lie in a folder, as they are in the program.
pub(super) fn unpack(name: &str, folder: &Path) -> anyhow::Result<Files> {
    let (texts, sounds) = match name {
        "en-US" => voice!("en-US", "en-US_lh0"),
        "en-GB" => voice!("en-GB", "en-GB_kh0"),
        "fr-FR" => voice!("fr-FR", "fr-FR_nk0"),
        "de-DE" => voice!("de-DE", "de-DE_gl0"),
        "es-ES" => voice!("es-ES", "es-ES_zl0"),
        "it-IT" => voice!("it-IT", "it-IT_cm0"),
        _ => bail!("there is no voice {name:?}"),
    };
    let file = |kind: &str, bytes: &[u8]| {
        let file = format!("{name}-{kind}.{VOICE}");
        let path = folder.join(&file);
        // Another one may be using it: what is right is not written again.
        if fs::read(&path).is_ok_and(|it| it == bytes) {
            return Ok(path);
        }
        cache::place(folder, &file, bytes)
            .with_context(|| format!("the voice cannot be unpacked into {}", folder.display()))?;
        anyhow::Ok(path)
    };
    Ok(Files { texts: file("texts", texts)?, sounds: file("sounds", sounds)? })
}

impl Engine {
    pub(super) fn load(Files { texts, sounds }: &Files) -> anyhow::Result<Self> {
        let path = |it: &Path| it.to_str().map(str::to_owned).context("a path that is no text");
        voice::engine(&path(texts)?, &path(sounds)?).map(Self).map_err(said)
    }

    /// The samples of a text.
    pub(super) fn speak(&mut self, text: &str) -> anyhow::Result<Vec<i16>> {
        let mut samples = Vec::new();
        // The zero says that nothing follows.
        let mut rest: &[u8] = &[text.as_bytes(), &[0]].concat();
        while !rest.is_empty() {
            let taken = self.0.put_text(rest).map_err(said)?;
            rest = rest.get(taken..).unwrap_or_default();
            let before = samples.len();
            self.listen(&mut samples)?;
            if taken == 0 && samples.len() == before {
                bail!("Pico takes no more of this text");
            }
        }
        Ok(samples)
    }

    /// Takes what there is to hear.
    fn listen(&mut self, samples: &mut Vec<i16>) -> anyhow::Result<()> {
        let mut some = [0; SOME];
        loop {
            let (count, status) = self.0.get_data(&mut some[..]).map_err(said)?;
            samples.extend_from_slice(some.get(..count).unwrap_or_default());
            if samples.len() > MOST {
                bail!("Pico does not come to an end with this text");
            }
            if status == EngineStatus::Idle {
                return Ok(());
            }
        }
    }
}

fn said(error: PicoError) -> anyhow::Error {
    anyhow!("Pico: {error}")
}
