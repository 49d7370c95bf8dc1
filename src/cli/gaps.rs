//! Speaking the clips that a voice of the operator's lacks, so that no sentence is heard with a hole.

use std::time::Duration;

use crate::app::{App, RATE, Script};

/// Calls are taken after so long even if a slow engine is not done; the rest follows.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has all of them spoken; what was spoken before is there at once.
pub(super) async fn fill(app: &App) {
    let gaps = app.prompts.gaps();
    if gaps.is_empty() {
        return;
    }
    let app = app.clone();
    let speaking = tokio::spawn(async move {
        let count = gaps.len();
        let mut spoken = 0;
        for gap in gaps {
            let script = Script { text: &gap.text, language: &gap.language, voice: None };
            match app.studio.speak(script).await {
                Ok(samples) => {
                    app.prompts.fill(&gap, samples, RATE);
                    spoken += 1;
                }
                Err(error) => tracing::warn!(
                    "the prompt {}/{} is missing and will be left out, for it cannot be spoken: \
                     {error:#}",
                    gap.language,
                    gap.name
                ),
            }
        }
        if spoken > 0 {
            tracing::info!("{spoken} of {count} missing prompt(s) are spoken by [synthesis]");
        }
    });
    if tokio::time::timeout(PATIENCE, speaking).await.is_err() {
        tracing::warn!(
            "missing prompts are still being spoken; they are heard once they are there"
        );
    }
}
