//! Ogg that begins anew on the way, as each title of a radio does: one file behind the other.

use std::convert::Infallible;

use afterbeep::{audio::ogg::checksum, decode::RATE};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{file, reader, share};

/// Samples of a file: a second of 500 Hz, and one of 1,000 Hz.
const LINK: usize = 2 * RATE as usize;

#[tokio::test]
async fn what_is_chained_is_heard_whole() {
    for name in ["tone.ogg", "tone.opus"] {
        if name == "tone.opus" && cfg!(not(feature = "opus")) {
            continue;
        }
        let chain = chain(&[name, name, name]).concat();
        let samples = reader().read(&chain).await.unwrap_or_else(|it| panic!("{name} {it}"));
        assert!(samples.len().abs_diff(3 * LINK) < LINK / 10, "{name}: {}", samples.len());
        assert_whole(&samples, 3, name);
        let music = reader().music(&chain, None, |_| ()).await.unwrap();
        assert!((5.9..6.3).contains(&music.length.as_secs_f64()), "{name}: {:?}", music.length);
    }
}

#[tokio::test]
async fn a_radio_is_heard_from_one_title_to_the_next() {
    let (samples, ended) = relayed(&["tone.ogg"; 4]).await;
    assert_eq!(ended, "ended");
    assert_whole(&samples, 3, "tone.ogg");
}

/// A radio may send each title as it was recorded; in a file nobody means that.
#[cfg(feature = "opus")]
#[tokio::test]
async fn only_a_radio_may_go_on_at_another_rate() {
    let (samples, ended) = relayed(&["tone.ogg", "tone.opus", "tone.ogg", "tone.ogg"]).await;
    assert_eq!(ended, "ended");
    assert_whole(&samples, 3, "both");
    let chain = chain(&["tone.ogg", "tone.opus"]).concat();
    super::refused(&chain, "it changes its rate or channels on the way").await;
}

/// What comes of it as it comes, and why it ended. The rest that fills no piece is not sent.
async fn relayed(names: &[&str]) -> (Vec<i16>, String) {
    let (to, mut pieces) = mpsc::channel(100);
    let sound = chain(names).into_iter().map(|it| Ok::<_, Infallible>(Bytes::from(it)));
    let ended = reader().relay(futures::stream::iter(sound), &to).await.unwrap_err();
    drop(to);
    let mut samples = Vec::new();
    while let Some(piece) = pieces.recv().await {
        samples.extend(piece);
    }
    (samples, ended.to_string())
}

/// That so many of its links are there, each where it should be.
#[track_caller]
fn assert_whole(samples: &[i16], links: usize, name: &str) {
    for link in 0..links {
        for (at, hz) in [(4_000, 500.0), (20_000, 1_000.0)] {
            let from = link * LINK + at;
            let part = samples.get(from..from + 8_000);
            let part = part.unwrap_or_else(|| panic!("{name} ends after {}", samples.len()));
            assert!(share(part, hz) > 0.95, "{name} has something else at {from}");
        }
    }
}

/// These files, each with a number of its own on its pages.
fn chain(names: &[&str]) -> Vec<Vec<u8>> {
    let numbered = names.iter().zip(1..);
    numbered.map(|(name, serial)| renumbered(file(name), serial)).collect()
}

fn renumbered(mut file: Vec<u8>, serial: u32) -> Vec<u8> {
    let mut rest = &mut file[..];
    while let Some(count) = rest.get(26) {
        let head = 27 + usize::from(*count);
        let sound: usize = rest[27..head].iter().map(|it| usize::from(*it)).sum();
        let (page, behind) = rest.split_at_mut(head + sound);
        page[14..18].copy_from_slice(&serial.to_le_bytes());
        page[22..26].fill(0);
        let sum = checksum(page);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        rest = behind;
    }
    file
}
