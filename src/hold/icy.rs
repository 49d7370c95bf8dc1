//! Streams as they are opened, and what SHOUTcast adds to HTTP: its first version says `ICY 200 OK` where a status
//! line should be, and some servers send words (the title that plays) between the sound.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use reqwest::{Response, Version, header::CONTENT_TYPE};

/// Longest head, in bytes.
const LONGEST: usize = 8 << 10;
/// What is said of anything else than such a stream.
const NO_STREAM: &str = "it answers with something that is no stream";
/// Words come in pieces of so many bytes.
const WORD: usize = 16;
/// The header that says after how many bytes of sound words come.
const EVERY: &str = "icy-metaint";

/// A stream that is open.
pub struct Open {
    kind: Option<String>,
    sound: BoxStream<'static, reqwest::Result<Bytes>>,
}

impl Open {
    /// What an answer brings that was not refused. Where it is no HTTP, its head is waited for so long.
    pub(super) async fn of(answer: Response, patience: Duration) -> anyhow::Result<Self> {
        if answer.version() == Version::HTTP_09 {
            let heading = tokio::time::timeout(patience, headed(answer));
            return heading.await.context("it does not answer")?;
        }
        let text = |name| answer.headers().get(name).and_then(|it| it.to_str().ok());
        let (kind, every) = (text(CONTENT_TYPE.as_str()).map(str::to_owned), text(EVERY));
        let words = Words::every(every);
        Ok(Self::with(kind, words, answer.bytes_stream()))
    }

    fn with(
        kind: Option<String>,
        words: Option<Words>,
        sound: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let sound = match words {
            None => sound.boxed(),
            Some(mut words) => sound.map(move |it| it.map(|bytes| words.taken_out(&bytes))).boxed(),
        };
        Self { kind, sound }
    }

    /// What it says it is.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The sound, as it comes.
    pub fn sound(self) -> impl Stream<Item = reqwest::Result<Bytes>> + Send + use<> {
        self.sound
    }
}

/// Reads the head of an answer that is no HTTP, and must be of SHOUTcast.
async fn headed(mut answer: Response) -> anyhow::Result<Open> {
    let mut read = BytesMut::new();
    let head = loop {
        let some = answer.chunk().await.context("its answer breaks off")?;
        read.extend_from_slice(&some.context(NO_STREAM)?);
        let begins = read.len().min(Head::BEGINS.len());
        // The sound behind it may have come at once with it.
        let longest = read.len().min(LONGEST);
        match Head::of(&read[..longest]) {
            _ if read[..begins] != Head::BEGINS[..begins] => bail!(NO_STREAM),
            Some(head) => break head,
            None if read.len() >= LONGEST => bail!(NO_STREAM),
            None => {}
        }
    };
    if head.status != 200 {
        bail!("it answers {}", head.status);
    }
    let rest = stream::iter([Ok(read.split_off(head.length).freeze())]);
    Ok(Open::with(head.kind, head.words, rest.chain(answer.bytes_stream())))
}

/// What stands before the sound.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    kind: Option<String>,
    words: Option<Words>,
    /// In bytes.
    length: usize,
}

impl Head {
    const BEGINS: &[u8] = b"ICY ";

    /// The head, once it is whole. Lines may end without a carriage return.
    fn of(bytes: &[u8]) -> Option<Self> {
        let ends = |end: &[u8]| {
            let at = bytes.windows(end.len()).position(|it| it == end)?;
            Some(at + end.len())
        };
        let length = [ends(b"\r\n\r\n"), ends(b"\n\n")].into_iter().flatten().min()?;
        let text = String::from_utf8_lossy(&bytes[..length]);
        let mut lines = text.lines();
        let status = lines.next()?.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let told = |name: &str| {
            let mut fields = text.lines().filter_map(|it| it.split_once(':'));
            fields.find(|it| it.0.trim().eq_ignore_ascii_case(name)).map(|it| it.1.trim())
        };
        let kind = told(CONTENT_TYPE.as_str()).map(str::to_owned);
        Some(Self { status, kind, words: Words::every(told(EVERY)), length })
    }
}

/// Words that come between the sound.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    /// After so many bytes of sound comes the length of the words, which may be none.
    every: usize,
    /// Bytes of sound until then.
    sound: usize,
    /// Bytes of words until sound goes on.
    left: usize,
}

impl Words {
    fn every(told: Option<&str>) -> Option<Self> {
        let every = told?.parse().ok().filter(|it| *it > 0)?;
        Some(Self { every, sound: every, left: 0 })
    }

    /// The sound that is in the next bytes.
    fn taken_out(&mut self, mut bytes: &[u8]) -> Bytes {
        let mut sound = Vec::with_capacity(bytes.len());
        while let Some(&first) = bytes.first() {
            let passed = if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                passed
            } else if self.sound > 0 {
                let passed = self.sound.min(bytes.len());
                sound.extend_from_slice(&bytes[..passed]);
                self.sound -= passed;
                passed
            } else {
                self.left = usize::from(first) * WORD;
                self.sound = self.every;
                1
            };
            bytes = &bytes[passed..];
        }
        sound.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a server says can be read, and it does not matter how the bytes come.
        #[test]
        fn anything_may_come(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            every in 1_usize..40,
            at in 0_usize..300,
        ) {
            Head::of(&bytes);
            Head::of(&[b"ICY 200 OK\r\nicy-metaint:".as_slice(), &bytes, b"\r\n\r\n"].concat());
            let words = || Words { every, sound: every, left: 0 };
            let (first, rest) = bytes.split_at(at.min(bytes.len()));
            let mut parted = words();
            let heard = [parted.taken_out(first), parted.taken_out(rest)].concat();
            prop_assert_eq!(words().taken_out(&bytes), heard);
        }
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = "ICY 200 OK\r\nicy-name: One: Two\r\ncontent-type:audio/mpeg\r\nicy-metaint:8192\r\n\r\nsound";
        for length in 0..text.len() - 5 {
            assert_eq!(Head::of(&text.as_bytes()[..length]), None, "{length}");
        }
        let head = Head::of(text.as_bytes()).unwrap();
        assert_eq!(&text[head.length..], "sound");
        assert_eq!((head.status, head.kind.as_deref()), (200, Some("audio/mpeg")));
        assert_eq!(head.words.map(|it| it.every), Some(8_192));
        let plain = Head::of(b"ICY 404 Resource Not Found\nicy-metaint: 0\n\n").unwrap();
        assert_eq!((plain.status, plain.kind, plain.words), (404, None, None));
        assert_eq!(Head::of(b"ICY nothing\r\n\r\n"), None);
    }

    #[test]
    fn words_are_taken_out_however_the_bytes_come() {
        let (every, sound) = (10, (0..=255_u8).collect::<Vec<_>>());
        let mut sent = Vec::new();
        for (at, part) in sound.chunks(every).enumerate() {
            sent.extend_from_slice(part);
            if part.len() == every {
                let words = at % 3;
                sent.push(words as u8);
                sent.extend(std::iter::repeat_n(b'!', words * WORD));
            }
        }
        for size in [1, 2, 7, 16, 100, sent.len()] {
            let mut words = Words::every(Some("10")).unwrap();
            let heard: Vec<u8> = sent.chunks(size).flat_map(|it| words.taken_out(it)).collect();
            assert_eq!(heard, sound, "in pieces of {size}");
        }
    }
}
