//! Letters on their way to a mail server, on loopback.

use afterbeep::mail::{MailError, Mailer, Security, Server, Settings};
use mail_parser::{MessageParser, MimeHeaders};

use super::{sink::*, *};

fn server(sink: &Sink) -> Server {
    Server {
        host: sink.addr.ip().to_string(),
        port: Some(sink.addr.port()),
        security: Security::None,
        user: None,
        password: None,
        password_file: None,
        certificates: None,
    }
}

fn mailer(server: Server, timeout: Duration) -> Mailer {
    let from = "Voicemail <voicemail@example.org>".into();
    let settings = Settings { from, server: Some(server), timeout, ..Settings::default() };
    settings.check().unwrap();
    Mailer::open(&settings, "nowhere".as_ref()).unwrap()
}

fn patient(sink: &Sink) -> Mailer {
    mailer(server(sink), Duration::from_secs(30))
}

fn hello() -> Letter {
    letter(&from_marie(), &transcript(&[("Hello, it's Marie.", 0.9)]))
}

#[tokio::test]
async fn a_letter_arrives_whole() {
    let sink = Sink::start(Mode::Accept).await;
    let tricky = "Über\r\n.\r\nMAIL FROM:<evil@example.net>\r\n..two\r\n.one";
    let letter = letter(&from_marie(), &transcript(&[(tricky, 0.9)]));
    let accepted = patient(&sink).send(&letter, "ann@example.org").await.unwrap();
    assert_eq!(accepted.reply, "250 2.0.0 kept");

    let [received] = &sink.wait_for(1, Duration::from_secs(10)).await[..] else {
        panic!("one letter, not more")
    };
    assert_eq!(received.from, "voicemail@example.org");
    assert_eq!(received.to, ["ann@example.org"]);
    assert!(received.bytes.is_ascii());
    let parsed = MessageParser::default().parse(&received.bytes).unwrap();
    let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), letter.text.trim_end());
    assert!(text.contains("Über\n.\nMAIL FROM:<evil@example.net>\n..two\n.one"), "{text}");
    assert_eq!(
        parsed.body_html(0).unwrap().trim_end(),
        html(&letter).trim_end().replace('\n', "\r\n")
    );
    let attached = parsed.attachment(0).unwrap();
    assert_eq!(attached.contents(), sound());
    assert_eq!(attached.attachment_name(), letter.recording.as_ref().map(|it| it.name.as_str()));
    let kind = attached.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("audio", Some("wav")));
    assert_eq!(parsed.attachment_count(), 1);
}

#[tokio::test]
async fn headers_say_that_a_machine_wrote_and_which_message_it_is() {
    let sink = Sink::start(Mode::Accept).await;
    patient(&sink).send(&hello(), "Ann Bée <ann@exämple.org>").await.unwrap();
    let [received] = &sink.received()[..] else { panic!("one letter, not more") };
    assert_eq!(received.to, ["ann@xn--exmple-cua.org"]);
    let head = String::from_utf8(received.bytes.clone()).unwrap();
    let head = head.split("\r\n\r\n").next().unwrap();
    for line in [
        "From: \"Voicemail\" <voicemail@example.org>",
        "To: ann@xn--exmple-cua.org",
        "Date: Mon, 23 Nov 2026 13:32:07 +0000",
        "Message-ID: <01923456-789a-7bcd-8def-0123456789ab@example.org>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
    ] {
        let times = head.lines().filter(|it| it.replace('"', "") == line.replace('"', ""));
        assert_eq!(times.count(), 1, "{line}\n{head}");
    }
}

/// RFC 8058 §3: both headers, the link whole, nothing but the one way.
#[tokio::test]
async fn readers_can_unsubscribe_with_one_click_where_there_is_a_page_for_it() {
    let sink = Sink::start(Mode::Accept).await;
    let (mailbox, envelope) = (reception(), from_marie());
    let news = news(&mailbox, &envelope, &Text::Off);
    let long = format!("https://voicemail.example/u/{}", "A".repeat(200));
    let ways = Ways { unsubscribe: Some(long.clone()), ..Ways::default() };
    let templates = Templates::built_in();
    let full = Letter::full(&templates, &news, &ways, Some(wav())).unwrap();
    let short = Letter::short(&templates, &news, &ways).unwrap();
    for letter in [&full, &short, &hello()] {
        patient(&sink).send(letter, "ann@example.org").await.unwrap();
    }
    let head = |received: &Received| {
        let text = String::from_utf8(received.bytes.clone()).unwrap();
        text.split("\r\n\r\n").next().unwrap().to_owned()
    };
    let [full, short, without] = &sink.received()[..] else { panic!("three letters") };
    for letter in [full, short] {
        let lines = [
            format!("List-Unsubscribe: <{long}>"),
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click".to_owned(),
        ];
        for line in lines {
            assert_eq!(head(letter).lines().filter(|it| **it == line).count(), 1, "{line}");
        }
    }
    assert!(!head(without).contains("List-Unsubscribe"), "{}", head(without));
}

#[tokio::test]
async fn a_short_letter_is_plain_text_and_not_the_full_ones_double() {
    let sink = Sink::start(Mode::Accept).await;
    let (mailbox, envelope) = (reception(), from_marie());
    let text = transcript(&[("Hello, it's Marie.", 0.9)]);
    let news = news(&mailbox, &envelope, &text);
    let short = Letter::short(&Templates::built_in(), &news, &Ways::default()).unwrap();
    patient(&sink).send(&short, "5551234@sms.example").await.unwrap();
    let [received] = &sink.received()[..] else { panic!("one letter") };
    let parsed = MessageParser::default().parse(&received.bytes).unwrap();
    assert_eq!((parsed.parts.len(), parsed.attachment_count()), (1, 0));
    assert_eq!(parsed.message_id(), Some(format!("{ID}.short@example.org").as_str()));
    assert!(parsed.body_text(0).unwrap().starts_with("Marie Dupont (+33 5 56 12 34 56), 23 Nov"));
    assert_eq!(parsed.header("Auto-Submitted").unwrap().as_text(), Some("auto-generated"));
}

#[tokio::test]
async fn each_try_is_the_same_letter_to_the_byte() {
    let sink = Sink::start(Mode::DropAfterData).await;
    let mailer = patient(&sink);
    let dropped = mailer.send(&hello(), "ann@example.org").await.unwrap_err();
    assert!(dropped.is_temporary(), "{dropped:?}");
    sink.switch(Mode::Accept);
    mailer.send(&hello(), "ann@example.org").await.unwrap();
    let received = sink.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0], received[1]);
}

#[tokio::test]
async fn refusals_are_told_from_delays() {
    for (mode, temporary, said) in [
        (Mode::RefuseRecipient(450), true, "450 nobody of that name"),
        (Mode::RefuseRecipient(550), false, "550 nobody of that name"),
        (Mode::RefuseData(451), true, "451 no letters today"),
        (Mode::RefuseData(554), false, "554 no letters today"),
        (Mode::RefuseLetter(452), true, "452 not this one"),
        (Mode::RefuseLetter(552), false, "552 not this one"),
        // These speak of the server or of us, never of the letter.
        (Mode::Unwelcome(421), true, "421 go away"),
        (Mode::Unwelcome(554), true, "554 go away"),
        (Mode::RefuseRecipient(530), true, "530 nobody of that name"),
    ] {
        let sink = Sink::start(mode).await;
        let mailer = patient(&sink);
        let refused = mailer.send(&hello(), "ann@example.org").await.unwrap_err();
        assert_eq!(refused.is_temporary(), temporary, "{mode:?}: {refused:?}");
        assert!(refused.to_string().ends_with(said), "{mode:?}: {refused}");
        assert_eq!(sink.received(), []);
        sink.switch(Mode::Accept);
        mailer.send(&hello(), "ann@example.org").await.unwrap();
        assert_eq!(sink.received().len(), 1, "the next one goes through");
    }
}

#[tokio::test]
async fn a_letter_refused_for_its_size_is_told_from_one_nobody_wants() {
    let sink = Sink::start(Mode::RefuseLarger(1_000)).await;
    let refused = patient(&sink).send(&hello(), "ann@example.org").await.unwrap_err();
    assert!(matches!(refused, MailError::TooLarge { .. }), "{refused:?}");
    assert!(!refused.is_temporary(), "the same letter is never smaller");
    assert!(refused.to_string().ends_with("552 5.3.4 message file too big"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_asked_again_later() {
    let sink = Sink::start(Mode::Accept).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Server { port: Some(free.port()), ..server(&sink) };
    let refused = mailer(nobody, Duration::from_secs(30)).send(&hello(), "ann@example.org").await;
    assert!(refused.unwrap_err().is_temporary());
}

#[tokio::test]
async fn a_server_that_falls_silent_does_not_hold_us() {
    for mode in [Mode::Mute, Mode::SilentAfterData] {
        let sink = Sink::start(mode).await;
        let mailer = mailer(server(&sink), Duration::from_millis(200));
        let late = mailer.send(&hello(), "ann@example.org").await.unwrap_err();
        assert!(matches!(late, MailError::TooSlow(_)), "{late:?}");
        assert!(late.is_temporary());
    }
}

/// What the server says late to a letter we gave up on must not pass for the answer to the next.
#[tokio::test]
async fn a_conversation_given_up_is_not_gone_on_with() {
    let sink = Sink::start(Mode::Accept).await;
    let mailer = mailer(server(&sink), Duration::from_secs(5));
    mailer.send(&hello(), "ann@example.org").await.unwrap();
    mailer.send(&hello(), "bob@example.org").await.unwrap();
    assert_eq!(sink.connections(), 1, "connections are used again");
    sink.switch(Mode::SilentAfterData);
    mailer.send(&hello(), "cy@example.org").await.unwrap_err();
    sink.switch(Mode::Accept);
    mailer.send(&hello(), "dee@example.org").await.unwrap();
    assert_eq!(sink.connections(), 2);
    let last = sink.received().pop().unwrap();
    assert_eq!(last.to, ["dee@example.org"]);
}

#[tokio::test]
async fn a_kept_connection_that_died_meanwhile_costs_nothing() {
    let sink = Sink::start(Mode::Accept).await;
    let mailer = patient(&sink);
    mailer.send(&hello(), "ann@example.org").await.unwrap();
    sink.switch(Mode::DropAfterData);
    mailer.send(&hello(), "ann@example.org").await.unwrap_err();
    sink.switch(Mode::Accept);
    mailer.send(&hello(), "bob@example.org").await.unwrap();
    assert_eq!(sink.received().pop().unwrap().to, ["bob@example.org"]);
}

#[tokio::test]
async fn nothing_is_said_in_the_open_when_protection_is_wanted() {
    let sink = Sink::start(Mode::Accept).await;
    let protected = Server { security: Security::StartTls, ..server(&sink) };
    let mailer = mailer(protected, Duration::from_secs(30));
    let refused = mailer.send(&hello(), "ann@example.org").await.unwrap_err();
    assert!(refused.is_temporary(), "an operator can mend it: {refused:?}");
    assert!(mailer.check().await.is_err());
    assert_eq!(sink.received(), []);
}

#[tokio::test]
async fn a_wrong_password_condemns_no_letter() {
    let sink = Sink::start(Mode::RefuseLogin).await;
    let login = Server {
        user: Some("voicemail".into()),
        password: Some("hunter2".into()),
        ..server(&sink)
    };
    let mailer = mailer(login, Duration::from_secs(30));
    let refused = mailer.send(&hello(), "ann@example.org").await.unwrap_err();
    assert!(refused.is_temporary(), "{refused:?}");
    assert!(refused.to_string().contains("535 5.7.8 that is not the password"), "{refused}");
    assert!(!format!("{refused:?}").contains("hunter2"));
    assert!(mailer.check().await.is_err());
}

#[tokio::test]
async fn checking_connects_and_sends_nothing() {
    let sink = Sink::start(Mode::Accept).await;
    patient(&sink).check().await.unwrap();
    assert_eq!(sink.connections(), 1);
    assert_eq!(sink.received(), []);
}

#[tokio::test]
async fn who_cannot_be_written_to_is_told_at_once() {
    let sink = Sink::start(Mode::Accept).await;
    for to in ["", "ann", "ann@", "ann@x y", "ann@a.org>\r\nRCPT TO:<eve@a.org", "a@b.org, c@d.org"]
    {
        let refused = patient(&sink).send(&hello(), to).await.unwrap_err();
        assert!(matches!(refused, MailError::Address(..)), "{to}: {refused:?}");
        assert!(!refused.is_temporary());
    }
    assert_eq!(sink.connections(), 0);
}

#[test]
fn passwords_are_never_shown() {
    let text = "from = 'a@b.org'\n[server]\nhost = 'mail'\nuser = 'u'\npassword = 'hunter2'";
    let settings: Settings = toml::from_str(text).unwrap();
    settings.check().unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(!toml::to_string(&settings).unwrap().contains("hunter2"));
}

#[test]
fn settings_that_cannot_work_are_told_in_a_sentence() {
    for (text, told) in [
        ("from = 'nobody'", "from: \"nobody\" is not a mail address"),
        ("timeout = '0s'", "timeout:"),
        ("base_url = 'voicemail.example'", "base_url:"),
        ("listen_for = '0s'", "listen_for:"),
        ("listen_for = '5y'", "listen_for:"),
        ("[server]\nhost = ' '", "host is empty"),
        ("[server]\nhost = 'mail'\nuser = 'u'", "belong together"),
        ("[server]\nhost = 'mail'\npassword = 'p'", "belong together"),
        ("[server]\nhost = 'mail'\nuser = 'u'\npassword = 'p'\npassword_file = 'f'", "keep one"),
    ] {
        let settings: Settings = toml::from_str(text).unwrap();
        let wrong = settings.check().unwrap_err();
        assert!(wrong.contains(told), "{text}: {wrong}");
    }
    assert!(toml::from_str::<Settings>("form = 'a@b.org'").is_err(), "unknown keys are errors");
    assert_eq!(Settings::default().check(), Ok(()));
}
