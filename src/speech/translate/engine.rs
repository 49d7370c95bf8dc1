//! Firefox's translation models, run by a Rust port of its engine.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::speech::model::pair;

/// A model in memory.
pub(in crate::speech) struct Engine(fxtranslate::engine::Engine);

impl Engine {
    /// Loads the model in a folder.
    pub(in crate::speech) fn load(folder: &Path) -> anyhow::Result<Self> {
        let files = pair::Files::of(folder);
        let engine =
            fxtranslate::engine::Engine::load_mmapped(&files.model, &files.source, &files.target);
        let engine = engine.map_err(|said| anyhow!("{said}"));
        let engine =
            engine.with_context(|| format!("{} cannot be loaded as a model", folder.display()))?;
        Ok(Self(engine))
    }

    /// A text of any length, sentence by sentence.
    pub(in crate::speech) fn translate(&self, text: &str) -> anyhow::Result<String> {
        Ok(self.0.translate_long(text))
    }
}
