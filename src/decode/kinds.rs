//! What a file is that is no sound: people send the page instead of the file, or a film.

/// What it is and what helps, for files that begin like something else.
pub(super) fn other(file: &[u8]) -> Option<&'static str> {
    let text = text(file);
    let page = ["<!doctype html", "<html", "<?xml", "<head", "<body", "<script"];
    if page.iter().any(|it| text.starts_with(it)) {
        return Some("a web page, not audio; save the sound file itself");
    }
    if text.starts_with("#extm3u") || text.starts_with("[playlist]") {
        return Some("a list of files, not audio; send one of the files in it");
    }
    let film = "a video, not audio; save its sound alone, as MP3 or WAV";
    let begins = |at: usize, with: &[u8]| file.get(at..).is_some_and(|it| it.starts_with(with));
    let found = match () {
        () if begins(0, b"RIFF") && begins(8, b"AVI ") => film,
        () if begins(4, b"ftyp") && shows(file) => film,
        () if begins(0, &[0x1a, 0x45, 0xdf, 0xa3]) => {
            "a WebM or Matroska file, which cannot be read; save its sound as MP3 or WAV"
        }
        () if begins(0, b"FLV") => film,
        () if begins(0, &[0, 0, 1, 0xba]) => film,
        () if begins(0, &[0x30, 0x26, 0xb2, 0x75]) => {
            "a Windows Media file, which cannot be read; convert it to MP3 or WAV"
        }
        () if begins(0, b"PK\x03\x04") => "an archive, not audio; unpack it first",
        () if begins(0, &[0x1f, 0x8b]) => "an archive, not audio; unpack it first",
        () if begins(0, b"%PDF") => "a document, not audio",
        () if begins(0, b"\x89PNG") || begins(0, &[0xff, 0xd8, 0xff]) || begins(0, b"GIF8") => {
            "a picture, not audio"
        }
        () if begins(0, b"MThd") => "a MIDI file, which is no recording",
        () => UNREAD.iter().find(|it| begins(it.0, it.1))?.2,
    };
    Some(found)
}

/// Sound that cannot be read: where, what it is known by, and what is said.
const UNREAD: [(usize, &[u8], &str); 9] = [
    (0, b"#!AMR", "an AMR file, which cannot be read; convert it to MP3 or WAV"),
    (0, b"#!iLBC", "an iLBC file, which cannot be read; convert it to MP3 or WAV"),
    (0, b"wvpk", "a WavPack file, which cannot be read; convert it to FLAC or WAV"),
    (0, b"MAC ", "a Monkey's Audio file, which cannot be read; convert it to FLAC or WAV"),
    (0, b"MPCK", "a Musepack file, which cannot be read; convert it to MP3 or WAV"),
    (0, b".RMF", "a RealAudio file, which cannot be read; convert it to MP3 or WAV"),
    (0, b"caff", "a Core Audio file, which cannot be read; convert it to M4A or WAV"),
    (0, &[0x0b, 0x77], "a Dolby Digital file, which cannot be read; convert it to MP3 or WAV"),
    (28, b"Speex   ", "a Speex file, which cannot be read; convert it to MP3 or Opus"),
];

/// Whether it begins with the mark of a file that is read.
pub(super) fn is_marked(file: &[u8]) -> bool {
    const MARKS: [(usize, &[u8]); 8] = [
        (0, b"RIFF"),
        (0, b"RIFX"),
        (0, b"FORM"),
        (0, b"fLaC"),
        (0, b"OggS"),
        (0, b"ID3"),
        (0, b".snd"),
        (4, b"ftyp"),
    ];
    MARKS.iter().any(|(at, mark)| file.get(*at..).is_some_and(|it| it.starts_with(mark)))
}

/// Whether one of the tracks of an MP4 file is to be seen (ISO/IEC 14496-12 §8.4.3).
fn shows(file: &[u8]) -> bool {
    file.windows(16).any(|it| it.starts_with(b"hdlr") && it.ends_with(b"vide"))
}

/// How it begins, without space and in small letters, if that is text.
fn text(file: &[u8]) -> String {
    let start = &file[..file.len().min(256)];
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    String::from_utf8_lossy(start).trim_start().to_ascii_lowercase()
}
