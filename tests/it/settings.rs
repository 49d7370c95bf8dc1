//! The settings of the Voicemail tab: which level applies, and what may be said.

use afterbeep::mailbox::{
    Mailbox, MailboxId, Notice, Preferences, Recipient, Settings, TenantId,
    settings::{Hours, Level, SettingError},
};

#[test]
fn a_mailbox_comes_before_its_tenant_and_that_before_the_default() {
    let mut tenant = Settings::default();
    tenant.set("limit", "50").unwrap();
    tenant.set("hours", "12").unwrap();
    let mut mailbox = Settings::default();
    mailbox.set("limit", "0").unwrap();

    let applies = Preferences::of(mailbox.clone(), tenant.clone());
    assert_eq!((applies.limit, applies.hours, applies.play_cid), (0, Hours::Twelve, true));
    let lines = Settings::lines(&mailbox, &tenant);
    let from = |name: &str| lines.iter().find(|it| it.name == name).unwrap().from;
    assert_eq!(from("limit"), Level::Mailbox);
    assert_eq!(from("hours"), Level::Tenant);
    assert_eq!(from("play_cid"), Level::Default);
    assert_eq!(lines.len(), Settings::NAMES.len());

    mailbox.set("limit", "inherit").unwrap();
    assert_eq!(Preferences::of(mailbox, tenant).limit, 50);
}

#[test]
fn every_setting_reads_what_it_shows_and_survives_json() {
    let said = [
        ("limit", "7"),
        ("play_cid", "no"),
        ("notify_to", "a@example.org, b@example.org"),
        ("attach", "mp3"),
        ("hours", "12"),
        ("spoken", "fr"),
        ("time_zone", "Europe/Paris"),
    ];
    let mut settings = Settings::default();
    for (name, word) in said {
        settings.set(name, word).unwrap();
    }
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
    for line in Settings::lines(&settings, &Settings::default()) {
        let mut again = Settings::default();
        again.set(line.name, &line.value).unwrap();
        let lines = Settings::lines(&again, &Settings::default());
        assert_eq!(lines.iter().find(|it| it.name == line.name).unwrap().value, line.value);
    }
    assert!(serde_json::from_str::<Settings>(r#"{"limits": 3}"#).is_err(), "a slip is told");
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let mut settings = Settings::default();
    let cases = [
        ("limit", "-1", "say a number"),
        ("limit", "100001", "100000"),
        ("transcribe", "maybe", "yes or no"),
        ("hours", "13", "12 or 24"),
        ("attach", "ogg", "wav or mp3"),
        ("time_zone", "Europe/New York", "one word"),
        ("notify_to", " , ", "commas"),
    ];
    for (name, word, wanted) in cases {
        let error = settings.set(name, word).unwrap_err();
        assert!(error.to_string().contains(wanted), "{name} {word}: {error}");
    }
    let crowd = vec!["x@example.org"; 51].join(",");
    assert!(settings.set("notify_to", &crowd).is_ok(), "one address, said often");
    let crowd: Vec<_> = (0..51).map(|nth| format!("{nth}@example.org")).collect();
    assert!(settings.set("notify_to", &crowd.join(",")).is_err());
    assert_eq!(settings.set("colour", "red"), Err(SettingError::Unknown("colour".into())));
}

#[test]
fn mail_goes_to_whom_the_voicemail_tab_says() {
    let full = |it: &str| Recipient { address: it.into(), kind: Notice::Full };
    let short = |it: &str| Recipient { address: it.into(), kind: Notice::Short };
    let owner = "ann@example.org";
    let cases: [(&str, Option<&str>, Vec<Recipient>); 7] = [
        ("", Some(owner), vec![full(owner)]),
        ("", None, vec![]),
        ("notify=no notify_short_to=s@example.org", Some(owner), vec![]),
        ("notify_to=b@example.org", Some(owner), vec![full(owner)]),
        ("use_login_email=no notify_to=b@example.org", Some(owner), vec![full("b@example.org")]),
        ("notify_short_to=s@example.org", Some(owner), vec![full(owner), short("s@example.org")]),
        // Who gets everything gets no short mail as well.
        ("notify_short_to=Ann@example.org", Some(owner), vec![full(owner)]),
    ];
    for (said, owner, expected) in cases {
        let mut own = Settings::default();
        for word in said.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap();
            own.set(name, value).unwrap();
        }
        let mailbox = Mailbox {
            id: MailboxId("m".into()),
            tenant: TenantId("t".into()),
            number: "1000".into(),
            name: "Ann".into(),
            owner_email: owner.map(str::to_owned),
            settings: Preferences::of(own, Settings::default()),
        };
        assert_eq!(mailbox.recipients(), expected, "{said}");
    }
}
