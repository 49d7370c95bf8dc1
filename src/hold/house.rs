//! The music that comes with the program, for tenants who have none of their own. It is encoded once,
//! some time after the first start or when it is first wanted, and kept for ever after.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::{app::App, audio::Clip, audio::music::Music};

/// Names, for logs, and files.
const TRACKS: [(&str, &[u8]); 2] = [
    ("morning walk", include_bytes!("../../assets/music/morning-walk.ogg")),
    ("evening boats", include_bytes!("../../assets/music/evening-boats.ogg")),
];

/// A server that has just started has other things to do.
const SETTLED: Duration = Duration::from_secs(30);

/// Has it ready before the first caller wants it, where there is to be any.
pub(super) async fn prepare(app: App) {
    if !app.config.music.house {
        return;
    }
    // A start is not the time to encode ten minutes of music.
    tokio::time::sleep(SETTLED).await;
    for (name, file) in TRACKS {
        if let Ok(false) = tokio::fs::try_exists(kept(&app, file)).await
            && let Err(error) = make(&app, name, file).await
        {
            tracing::warn!("the music of the house is not ready: {error:#}");
        }
    }
}

pub(super) async fn load(app: &App) -> anyhow::Result<Vec<Arc<Clip>>> {
    if !app.config.music.house {
        return Ok(Vec::new());
    }
    let mut clips = Vec::new();
    for (name, file) in TRACKS {
        let bytes = tokio::fs::read(kept(app, file)).await.ok();
        let music = match bytes.and_then(|it| Music::read(&it).ok()) {
            Some(music) => music,
            None => make(app, name, file).await?,
        };
        clips.push(Arc::new(music.clip(name)));
    }
    Ok(clips)
}

async fn make(app: &App, name: &str, file: &[u8]) -> anyhow::Result<Music> {
    let music = app.studio.music(file, None, name).await?;
    let path = kept(app, file);
    keep(&path, &music).await.context("the music of the house cannot be kept")?;
    Ok(music)
}

async fn keep(path: &Path, music: &Music) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let half = path.with_extension(format!("{}.half", std::process::id()));
    tokio::fs::write(&half, music.to_bytes()).await?;
    tokio::fs::rename(&half, path).await
}

/// Where it is once it is encoded; another file of music has another place.
fn kept(app: &App, file: &[u8]) -> PathBuf {
    let digest = Sha256::digest(file);
    let mark: String = digest.iter().take(8).map(|it| format!("{it:02x}")).collect();
    app.config.data.join("music").join(format!("{mark}.music"))
}
