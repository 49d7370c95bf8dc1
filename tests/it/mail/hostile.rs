//! Whatever a caller claims to be called or says: one more line of text, nothing else.

use afterbeep::mail::{Mailer, listen_page};
use mail_parser::{HeaderName, MessageParser};
use proptest::prelude::*;

use super::*;

/// What has broken other people's mail, one kind a line.
fn hostile() -> Vec<String> {
    let mut values: Vec<String> = HOSTILE.iter().map(|&it| it.to_owned()).collect();
    values.push("A".repeat(10_000));
    values.push("é".repeat(5_000));
    values.push("a ".repeat(5_000));
    values.push("=?utf-8?q?".repeat(300));
    values.push("\u{202e}".repeat(500));
    values.push("z\u{300}\u{301}\u{302}".repeat(500));
    values.push((0..=0x9f).map(|it| char::from_u32(it).unwrap()).collect());
    for control in (0..0x20).chain(0x7f..0xa0) {
        let control = char::from_u32(control).unwrap();
        values.push(format!("a{control}Bcc: eve@example.net{control}{control}b"));
    }
    values
}

const HOSTILE: [&str; 44] = [
    "x\r\nBcc: eve@example.net",
    "x\nBcc: eve@example.net",
    "x\rBcc: eve@example.net",
    "x\r\n\r\n<h1>body</h1>",
    "x\n\nbody",
    "x\r\n.\r\nMAIL FROM:<eve@example.net>\r\n",
    "x\n.\nQUIT\n",
    "x\u{0}y",
    "x\u{85}Bcc: eve@example.net",
    "x\u{2028}Bcc: eve@example.net",
    "x\u{2029}Bcc: eve@example.net",
    "x\u{b}Bcc: eve@example.net\u{c}",
    "=?utf-8?q?a=0d=0aBcc:=20eve@example.net?=",
    "=?utf-8?b?YQ0KQmNjOiBldmVAZXhhbXBsZS5uZXQ=?=",
    "=?iso-8859-1?q?a=0ABcc:_eve?= =?utf-8?q?more?=",
    "a=?utf-8?q?=0d=0a?=b",
    "=?utf-8?q?=?=",
    "=?utf-8?q?é?=",
    "=?utf-8*en?q?a=0ab?=",
    "=\u{200b}?utf-8?q?a?=",
    "= ?utf-8?q?a?=",
    "?==?utf-8?q?x?=",
    "Ann\" <eve@example.net>, \"x",
    "Ann <eve@example.net>",
    "eve@example.net,bob@example.net;",
    "Group: eve@example.net, bob@example.net;",
    "(comment) Ann \\\" \\",
    "\\\r\n\\",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style><body onload=x>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#x3c;",
    "{{ 7 * 7 }} {% raw %} {# x #}",
    "--afterbeep-all-0192",
    "From eve@example.net Mon Nov 23",
    "../../etc/passwd",
    "C:\\con.wav",
    "$(reboot) `reboot` ; reboot",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{202e}gpj.exe\u{2066}",
    "\u{feff}bom\u{200e}\u{200f}\u{61c}",
    "👩‍👩‍👧‍👦 Ünïcode 名前 שם",
];

/// Anything, with more of what has a meaning in mails than chance would bring.
const ANYTHING: &str = "(\\PC|[\r\n\t\0 =?<>.:\"&\\\\]|=\\?utf-8\\?q\\?){0,80}";

const HEADERS: [&str; 9] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "auto-submitted",
    "x-auto-response-suppress",
    "mime-version",
    "content-type",
];

#[tokio::test]
async fn no_value_of_a_stranger_bends_a_letter() {
    for value in hostile() {
        harmless(&value).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The same for values nobody thought of.
    #[test]
    fn no_value_at_all_bends_a_letter(value in ANYTHING) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(harmless(&value));
    }
}

/// Sends a letter with this value in every place a stranger fills, and reads it as receivers do.
async fn harmless(value: &str) {
    let caller = Caller { name: Some(value.into()), number: Some(value.into()) };
    let envelope = Envelope { caller, ..from_marie() };
    let letter = letter(&envelope, &transcript(&[(value, 0.9), (value, 0.1)]));
    let (mailer, outbox) = Mailer::memory("voicemail@example.org").unwrap();
    mailer.send(&letter, "ann@example.org").await.unwrap();
    let bytes = outbox.sent().pop().unwrap().bytes;

    assert!(bytes.is_ascii(), "{value:?}");
    assert!(!bytes.contains(&0), "{value:?}");
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a bare line end: {value:?}");
    assert!(text.split("\r\n").all(|line| line.len() <= 998), "{value:?}");

    let head = text.split("\r\n\r\n").next().unwrap();
    let lines = head.split("\r\n").filter(|it| !it.starts_with([' ', '\t']));
    let names: Vec<_> = lines.map(|it| it.split(':').next().unwrap().to_lowercase()).collect();
    let mut expected = HEADERS.map(str::to_owned).to_vec();
    let mut found = names.clone();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{value:?}\n{head}");

    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(parsed.subject(), Some(letter.subject.as_str()), "{value:?}\n{head}");
    assert!(!letter.subject.contains(char::is_control), "{value:?}");
    assert!(letter.subject.chars().count() <= 240, "{value:?}");
    assert_eq!(parsed.to().unwrap().as_list().unwrap().len(), 1);
    assert!(parsed.header(HeaderName::Bcc).is_none(), "{value:?}");
    assert_eq!(parsed.parts.len(), 5, "two containers, text, html, recording: {value:?}");
    let shown = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(shown.trim_end(), letter.text.trim_end(), "{value:?}");
    assert_eq!(parsed.attachment(0).unwrap().contents(), sound(), "{value:?}");

    let safe = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let name = &letter.recording.as_ref().unwrap().name;
    assert!(name.chars().all(safe) && name.len() < 80, "{name}");
    tags_are_ours(html(&letter));
    harmless_in_short(&envelope, value).await;
    harmless_on_the_page(&envelope, value);
}

/// The short letter has no place for it to get out of.
async fn harmless_in_short(envelope: &Envelope, value: &str) {
    let (mailbox, text) = (reception(), transcript(&[(value, 0.9)]));
    let news = news(&mailbox, envelope, &text);
    let letter = Letter::short(&Templates::built_in(), &news, &ways()).unwrap();
    assert!(letter.text.chars().count() <= 160, "{value:?}: {}", letter.text);
    assert!(!letter.text.contains(char::is_control), "{value:?}");
    let (mailer, outbox) = Mailer::memory("voicemail@example.org").unwrap();
    mailer.send(&letter, "ann@example.org").await.unwrap();
    let bytes = outbox.sent().pop().unwrap().bytes;
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(parsed.parts.len(), 1, "{value:?}");
    assert_eq!(parsed.body_text(0).unwrap().trim_end(), letter.text.trim_end(), "{value:?}");
    assert!(parsed.header(HeaderName::Bcc).is_none(), "{value:?}");
}

/// The page that a link opens has no tag a harmless caller's has not.
fn harmless_on_the_page(envelope: &Envelope, value: &str) {
    let page = |envelope: &Envelope, value: &str| {
        let (mailbox, text) = (reception(), transcript(&[(value, 0.9), (value, 0.1)]));
        let translated = Translated::Made {
            language: value.into(),
            text: value.into(),
            missing: vec![value.into()],
            added: vec![],
        };
        let news = News { translated: &translated, ..news(&mailbox, envelope, &text) };
        listen_page(&Templates::built_in(), &news, "TOKEN/audio").unwrap()
    };
    let tags = |page: &str| {
        let pieces = page.split('<').skip(1).map(|it| it.split('>').next().unwrap().to_owned());
        let varies = |it: &String| {
            it.starts_with("a href=\"tel:")
                || it == "/a"
                || it.contains("download=")
                || it.starts_with("div class=\"text\" dir=\"auto\"")
        };
        pieces.filter(|it| !varies(it)).collect::<Vec<_>>()
    };
    let (plain, found) = (tags(&page(&from_marie(), "Hello.")), tags(&page(envelope, value)));
    let silent = tags(&page(&from_marie(), ""));
    assert!(found.iter().all(|it| plain.contains(it) || silent.contains(it)), "{found:#?}");
    assert!(found.len() <= plain.len().max(silent.len()), "{value:?}: {found:#?}");
    assert!(!page(envelope, value).contains("dir=\"auto\" on"), "{value:?}");
}

/// A stranger's value adds no tag and no attribute: with all text gone, what is left is what a
/// harmless caller gets.
fn tags_are_ours(html: &str) {
    let tags = |html: &str| {
        let pieces = html.split('<').skip(1).map(|it| it.split('>').next().unwrap().to_owned());
        let call_back = |it: &String| it.starts_with("a href=\"tel:") || it == "/a";
        pieces.filter(|it| !call_back(it)).collect::<Vec<_>>()
    };
    let plain = letter(&from_marie(), &transcript(&[("Hello.", 0.9), ("You.", 0.1)]));
    let silent = letter(&from_marie(), &Text::NoSpeech);
    let (plain, silent) = (self::html(&plain), self::html(&silent));
    // The paragraph around the link comes and goes with it.
    let ours = |it: &String| tags(plain).contains(it) || tags(silent).contains(it);
    let found = tags(html);
    assert!(found.iter().all(ours), "{found:#?}");
    assert!(found.len() <= tags(plain).len(), "{found:#?}");
}
