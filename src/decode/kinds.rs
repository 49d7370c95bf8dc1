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
        () if begins(0, &[0x1a, 0x45, 0xdf, 0xa3]) => film,
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
        () if begins(0, b"#!AMR") => "an AMR file, which cannot be read; convert it to MP3 or WAV",
        () => return None,
    };
    Some(found)
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
