//! The music that comes with the program, for tenants who have none of their own. It is encoded when it
//! is first wanted, and kept for ever after.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::{app::App, audio::Clip, audio::music::Music};

/// Names, for logs, and files.
const TRACKS: &[(&str, &[u8])] = &[];

pub(super) async fn load(app: &App) -> anyhow::Result<Vec<Arc<Clip>>> {
    if !app.config.music.house {
        return Ok(Vec::new());
    }
    let folder = app.config.data.join("music");
    tokio::fs::create_dir_all(&folder).await.context("no folder for the music of the house")?;
    let mut clips = Vec::new();
    for (name, file) in TRACKS {
        let digest = Sha256::digest(file);
        let mark: String = digest.iter().take(8).map(|it| format!("{it:02x}")).collect();
        let kept = folder.join(format!("{mark}.music"));
        let music = match tokio::fs::read(&kept).await.ok().and_then(|it| Music::read(&it).ok()) {
            Some(music) => music,
            None => {
                let music = app.studio.music(file, None, name).await?;
                keep(&kept, &music).await;
                music
            }
        };
        clips.push(Arc::new(music.clip(name)));
    }
    Ok(clips)
}

/// What cannot be kept is made again.
async fn keep(path: &Path, music: &Music) {
    let half = path.with_extension("half");
    let kept = async {
        tokio::fs::write(&half, music.to_bytes()).await?;
        tokio::fs::rename(&half, path).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "the music of the house cannot be kept, and is made at each start");
    }
}
