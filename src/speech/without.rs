//! The engine of a program that was built without one: it says so.

use std::path::Path;

use super::worker::Heard;

pub(super) enum Engine {}

impl Engine {
    pub(super) fn load(_: &Path, _: usize) -> anyhow::Result<Self> {
        anyhow::bail!("this program was built without speech recognition (feature `whisper`)")
    }

    pub(super) fn transcribe(
        &self,
        _: &[f32],
        _: Option<&str>,
        _: &[String],
    ) -> anyhow::Result<Heard> {
        match *self {}
    }
}
