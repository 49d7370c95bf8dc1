//! How long after hanging up the mail is with the mail server, its transcript in it.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Figure, Findings, Share, house, reading, speak};
use crate::post::{Letter, Post};

/// Words of the reading that any model gets right.
const WORDS: [&str; 4] = ["leisure", "consider", "power", "selfish"];

/// So many messages of ten seconds of speech, one after the other.
pub async fn mails(messages: u32, models: &Path) -> Findings {
    let post = Post::open().await.unwrap();
    let settings = format!("[speech]\nmodel = \"tiny.en\"\nmodels = \"{}\"\n", models.display());
    let house = house(&settings, &post);
    let sound = reading(10);
    let mut findings = Findings::default();
    let mut took = Vec::new();
    for number in 0..messages {
        let call = match speak(house.sip, number, &sound).await {
            Ok(call) => call,
            Err(error) => {
                findings.wrongs.push(format!("a call failed: {error}"));
                continue;
            }
        };
        let began = Instant::now();
        call.hang_up().await.unwrap();
        let Some(letter) = arrived(&post, took.len()).await else {
            findings.wrongs.push("a letter never came".into());
            break;
        };
        took.push(letter.at - began);
        let text = letter.text.to_lowercase();
        let missing: Vec<_> = WORDS.iter().filter(|it| !text.contains(**it)).collect();
        if missing.len() > 1 {
            findings.wrongs.push(format!("the transcript lacks {missing:?}: {text}"));
        }
    }
    if let Some(first) = took.first() {
        let first = first.as_secs_f64();
        findings.notes.push(format!("the first, which also loads the model: {first:.2} s"));
    }
    let what = "hang-up to mail, 10 s, tiny.en";
    let promises = vec![(Share::All, Duration::from_secs(5))];
    findings.figures.push(Figure { what, took, promises });
    findings
}

async fn arrived(post: &Post, before: usize) -> Option<Letter> {
    let until = Instant::now() + Duration::from_secs(90);
    while Instant::now() < until {
        if let Some(letter) = post.letters().into_iter().nth(before) {
            return Some(letter);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}
