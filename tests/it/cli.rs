//! The verbs, as an operator types them.

use std::{fs, path::PathBuf, time::Duration};

use afterbeep::{
    app::Studio,
    audio::{loudness::loudness, wav},
    blobs::{self, Blobs},
    cli::{greeting, jobs, mailbox, message, name, tenant, user},
    clock::Clock,
    config::Config,
    mailbox::{Caller, Envelope, MessageId, Reason, Segment, Timestamp, Transcript},
    store::{
        Db, deliveries, greetings, jobs as store_jobs, mailboxes,
        messages::{self, Filing},
        tenants, transcripts,
    },
};
use clap::Parser;
use tempfile::TempDir;

#[tokio::test]
async fn a_tenant_a_user_and_a_mailbox_are_added_changed_listed_and_removed() {
    let desk = desk().await;
    assert!(desk.says("tenant list").await.contains("No tenants yet"));
    desk.says("tenant add default --time-zone Europe/Vienna --spoken de").await;
    desk.says("user add ann@acme.example --name Ann").await;
    let added = desk.says("mailbox add 1000 --owner ann@acme.example").await;
    assert_eq!(added, "Mailbox 1000 is there.\n");
    desk.says("mailbox set 1000 --language de --transcribe no").await;
    assert_eq!(
        desk.says("mailbox list").await,
        "NUMBER  NAME  NEW  TIME ZONE      LANGUAGE  SPOKEN  TRANSCRIBE  MAIL TO\n\
         1000    Ann   0    Europe/Vienna  de        de      no          ann@acme.example\n"
    );
    desk.says("mailbox set 1000 --language inherit --transcribe inherit --spoken auto").await;
    let set = "mailbox set 1000 --notify-to bob@acme.example,eve@acme.example";
    desk.says(&format!("{set} --notify-short-to 5551234@sms.example")).await;
    let listed: serde_json::Value =
        serde_json::from_str(&desk.says("mailbox list --json").await).unwrap();
    assert_eq!(listed[0]["settings"]["pages"], "en");
    assert_eq!(listed[0]["settings"]["spoken"], "auto");
    assert_eq!(listed[0]["settings"]["transcribe"], true);
    assert_eq!(listed[0]["recipients"][1]["address"], "eve@acme.example");
    assert_eq!(listed[0]["recipients"][2]["kind"], "short");

    desk.says("user set ann@acme.example --email-to a@acme.example").await;
    desk.says("mailbox set 1000 --use-login-email yes").await;
    let list = desk.says("mailbox list").await;
    assert!(list.contains("a@acme.example, 5551234@sms.example (short)"), "{list}");
    assert!(!list.contains("eve@acme.example"), "the list is kept but unused: {list}");
    let nobody = desk.says("mailbox set 1000 --owner none --notify-short-to none").await;
    assert!(nobody.contains("Nobody gets mail from it yet"), "{nobody}");
    desk.says("user rm a@acme.example").await;
    desk.says("mailbox rm 1000").await;
    desk.says("tenant rm default").await;
    assert!(desk.says("tenant list").await.contains("No tenants yet"));
}

#[tokio::test]
async fn every_setting_of_the_voicemail_tab_is_shown_with_where_it_comes_from() {
    let desk = desk().await;
    desk.says("tenant add default --time-zone Europe/Vienna --limit 50 --language fr").await;
    desk.says("user add ann@acme.example").await;
    desk.says("mailbox add 1000 --owner ann@acme.example --limit 20 --hours 12").await;
    let shown = desk.says("mailbox show 1000").await;
    let rows = [
        ["Voicemail Limit", "20", "mailbox"],
        ["Play CID", "yes", "default"],
        ["Play Envelope", "yes", "default"],
        ["Disable VM rotate", "no", "default"],
        ["Enable Transcription", "yes", "default"],
        ["Enable Translation", "no", "default"],
        ["Enable Notification", "yes", "default"],
        ["Use login email", "yes", "default"],
        ["Send notification to", "none", "default"],
        ["Send short notification to", "none", "default"],
        ["Delete voicemail after notification", "no", "default"],
        ["Voicemail PIN", "not set", "default"],
        ["Time Zone", "Europe/Vienna", "tenant"],
        ["12/24 h", "12", "mailbox"],
        ["Language of pages and mails", "fr", "tenant"],
        ["Language of prompts", "fr", "tenant"],
        ["Language of transcription", "auto", "default"],
        ["Language of translation", "fr", "default"],
    ];
    for [label, value, from] in rows {
        let there = shown.lines().any(|line| {
            let rest = line.strip_prefix(label).map(str::split_whitespace);
            rest.is_some_and(|it| it.collect::<Vec<_>>().join(" ") == format!("{value} {from}"))
        });
        assert!(there, "{label} is not {value} by {from}:\n{shown}");
    }
    assert!(shown.ends_with("Mail goes to ann@acme.example.\n"), "{shown}");
    desk.says("mailbox set 1000 --limit inherit").await;
    let shown = desk.says("mailbox show 1000 --json").await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let limit = &shown["lines"][0];
    assert_eq!((&limit["value"], &limit["from"]), (&"50".into(), &"tenant".into()));
}

#[tokio::test]
async fn a_user_is_given_a_password_which_is_shown_once() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("user add ann@acme.example --name Ann").await;
    let said = desk.says("user password ann@acme.example").await;
    let (_, password) = said.lines().next().unwrap().rsplit_once(": ").unwrap();
    assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [6; 4], "{said}");
    assert_eq!(
        desk.says("user list").await,
        "EMAIL             NAME  LOGS IN\n\
         ann@acme.example  Ann   yes\n"
    );
    let again = desk.says("user password ann@acme.example").await;
    assert!(!again.contains(password), "each is another one");
    desk.says("user password ann@acme.example --remove").await;
    assert!(desk.says("user list").await.ends_with("no\n"));
    let refused = desk.refuses("user password ann@acme.example --remove").await;
    assert_eq!(refused, "ann@acme.example has no password");
}

#[tokio::test]
async fn errors_name_the_next_step() {
    let desk = desk().await;
    let cases = [
        ("mailbox list", "add it with `afterbeep tenant add default`"),
        ("tenant add no/good", "use 1 to 64 letters"),
        ("tenant add a --time-zone Europe/Wien", "Europe/Vienna"),
        ("tenant add a --language German", "write its code"),
        ("tenant add a --sip-domain sip:a@b", "without \"sip:\""),
    ];
    for (line, step) in cases {
        let error = desk.refuses(line).await;
        assert!(error.contains(step), "{line}: {error}");
    }
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000").await;
    let cases = [
        ("tenant add default", "see `afterbeep tenant list`"),
        ("tenant rm default", "remove them first"),
        ("user add nobody", "write it like ann@example.org"),
        ("user set ann@acme.example --name A", "`afterbeep user add ann@acme.example`"),
        ("mailbox add 1000", "`afterbeep mailbox set 1000`"),
        ("mailbox add 10/00", "use 1 to 64 letters"),
        ("mailbox set 2000 --name B", "`afterbeep mailbox add 2000`"),
        ("mailbox add 2000 --owner x@acme.example", "`afterbeep user add x@acme.example`"),
        ("mailbox set 1000 --notify-to a@acme.example,b", "not an email address"),
        ("mailbox resubscribe 1000 x@acme.example", "has not unsubscribed from mailbox 1000"),
        ("mailbox set 1000 --limit many", "limit cannot be \"many\": say a number"),
        ("mailbox set 1000 --disable-rotate maybe", "say yes or no"),
        ("mailbox set 1000 --attach ogg", "say wav or mp3"),
        ("message list --mailbox 3000", "`afterbeep mailbox list`"),
        ("message show 0190b1d6-0000-7000-8000-000000000000", "`afterbeep message list"),
        ("greeting set --mailbox 1000 --file missing.wav", "missing.wav cannot be read"),
    ];
    for (line, step) in cases {
        let error = desk.refuses(line).await;
        assert!(error.contains(step), "{line}: {error}");
    }
}

#[tokio::test]
async fn messages_are_listed_shown_and_exported() {
    let desk = desk().await;
    desk.says("tenant add default --time-zone Europe/Vienna").await;
    desk.says("mailbox add 1000 --name Ann --notify-to ann@acme.example").await;
    assert_eq!(desk.says("message list --mailbox 1000").await, "No messages in mailbox 1000.\n");
    let id = desk.message().await;
    let listed = desk.says("message list --mailbox 1000").await;
    assert_eq!(
        listed.lines().last().unwrap(),
        format!(
            "{id}  new     2026-09-21 16:13:20 CEST  0:13    Marie (+33556123456)  \
             Hello Ann, call me."
        )
    );
    let shown = desk.says(&format!("message show {id}")).await;
    assert!(shown.contains("Mailbox:  1000 (Ann)\n"), "{shown}");
    assert!(shown.contains("Length:   0:13, interrupted\n"), "{shown}");
    assert!(shown.contains("Mail to:  ann@acme.example, queued\n"), "{shown}");
    assert!(shown.ends_with("\nHello Ann, call me.\n"), "{shown}");
    let shown: serde_json::Value =
        serde_json::from_str(&desk.says(&format!("message show {id} --json")).await).unwrap();
    assert_eq!(shown["text"], "Hello Ann,\u{1b}call me.", "a program gets it as it is");
    assert_eq!(shown["received"], "2026-09-21T14:13:20Z");
    assert_eq!(shown["deliveries"][0]["state"], "queued");

    let to = desk.dir.path().join("out.wav");
    let line = format!("message export {id} --to {}", to.display());
    desk.says(&line).await;
    assert_eq!(fs::read(&to).unwrap(), b"sound");
    assert!(desk.refuses(&line).await.contains("name another file with --to"));

    desk.says("tenant add other").await;
    let elsewhere = desk.refuses("mailbox set 1000 --name B --tenant other").await;
    assert!(elsewhere.contains("`afterbeep mailbox add 1000 --tenant other`"), "{elsewhere}");
    let stranger = format!("message show {id} --tenant other");
    assert!(desk.refuses(&stranger).await.contains("has no message"));
}

#[tokio::test]
async fn work_is_listed_and_what_was_given_up_is_tried_again() {
    let desk = desk().await;
    assert_eq!(desk.says("jobs list").await, "Nothing is left to do.\n");
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000 --notify-to ann@acme.example").await;
    desk.message().await;
    let listed = desk.says("jobs list --json").await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let [work] = &listed.as_array().unwrap()[..1] else { unreachable!() };
    let id = work["id"].as_str().unwrap();
    assert_eq!(work["state"], "waiting");
    desk.says(&format!("jobs retry {id}")).await;

    let (now, lease) = (desk.clock.now(), Duration::from_secs(60));
    let kind = [store_jobs::Kind::Transcribe, store_jobs::Kind::Notify]
        .into_iter()
        .find(|it| it.as_str() == work["kind"])
        .unwrap();
    let held = store_jobs::claim(&desk.db, kind, now, lease).await.unwrap().unwrap();
    assert!(desk.refuses(&format!("jobs retry {id}")).await.contains("see `afterbeep jobs list`"));
    store_jobs::bury(&desk.db, &held, "the disk is gone").await.unwrap();
    let given_up = desk.says("jobs list --given-up").await;
    assert!(given_up.contains("given up") && given_up.contains("the disk is gone"), "{given_up}");
    assert_eq!(desk.says("jobs retry --all").await, "1 job(s) are due now.\n");
    assert_eq!(desk.says("jobs list --given-up").await, "Nothing is left to do.\n");
}

#[tokio::test]
async fn a_mail_that_came_back_is_noted_and_shown() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000 --notify-to ann@acme.example").await;
    let (id, ann) = (desk.message().await, "ann@acme.example");
    let line = format!("message bounced {id} --recipient {ann} --reply 5.1.1");
    assert!(desk.refuses(&line).await.contains("to ann@acme.example was accepted"));
    deliveries::accepted(&desk.db, &id, ann, "250 ok", true).await.unwrap();
    desk.says(&line).await;
    let shown = desk.says(&format!("message show {id}")).await;
    assert!(shown.contains("Mail to:  ann@acme.example, bounced (5.1.1)\n"), "{shown}");
    let shown = desk.says(&format!("message show {id} --json")).await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let mail = &shown["deliveries"][0];
    assert_eq!((&mail["kind"], &mail["with_audio"]), (&"full".into(), &true.into()));
}

#[tokio::test]
async fn a_mailbox_goes_with_its_messages_only_when_that_is_said() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000").await;
    let file = desk.wav(8_000, 1, 16, 8_000);
    desk.says(&format!("greeting set --mailbox 1000 --file {}", file.display())).await;
    desk.message().await;
    assert!(desk.refuses("mailbox rm 1000").await.contains("mailbox rm 1000 --with-messages"));
    assert_eq!(desk.blobs.list().await.unwrap().len(), 2);
    desk.says("mailbox rm 1000 --with-messages").await;
    assert!(desk.blobs.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_greeting_is_kept_as_16_bit_mono_and_replaces_the_old_one() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000").await;
    for (rate, channels, bits) in [(8_000, 1, 16), (44_100, 2, 16), (16_000, 1, 24), (8_000, 1, 8)]
    {
        let file = desk.wav(rate, channels, bits, rate * 2);
        let said =
            desk.says(&format!("greeting set --mailbox 1000 --file {}", file.display())).await;
        assert!(said.contains("(2.0 s)"), "{said}");
        assert_eq!(desk.blobs.list().await.unwrap().len(), 1, "the old one is deleted");
        let kept = desk.greeting().await;
        let mut kept = hound::WavReader::new(&kept[..]).unwrap();
        let spec = kept.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 16_000, 16));
        let samples: Vec<_> = kept.samples::<i16>().map(Result::unwrap).collect();
        let loudness = loudness(16_000, &samples).unwrap();
        assert!((-23.3..-22.7).contains(&loudness), "{bits} bits at {rate}: {loudness:.1} LUFS");
    }
}

#[tokio::test]
async fn what_cannot_be_a_greeting_is_refused_and_the_old_one_stays() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000").await;
    let fine = desk.wav(8_000, 1, 16, 800);
    desk.says(&format!("greeting set --mailbox 1000 --file {}", fine.display())).await;
    let before = desk.greeting().await;

    let text = desk.dir.path().join("text.wav");
    fs::write(&text, b"RIFF, but no more").unwrap();
    let cut = desk.dir.path().join("cut.wav");
    let whole = fs::read(desk.wav(8_000, 1, 16, 800)).unwrap();
    fs::write(&cut, &whole[..whole.len() - 301]).unwrap();
    let no_rate = desk.dir.path().join("rate.wav");
    let mut wrong = whole.clone();
    wrong[24..32].copy_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0]);
    fs::write(&no_rate, wrong).unwrap();
    let cases = [
        (text, "not audio of a kind that can be read"),
        (cut, "is cut off"),
        (no_rate, "its rate is 1 Hz"),
        (desk.wav(8_000, 1, 16, 0), "no sound"),
        (desk.wav(8_000, 1, 8, 8_000 * 301), "longer than 300 s"),
    ];
    for (file, why) in cases {
        let line = format!("greeting set --mailbox 1000 --file {}", file.display());
        let error = desk.refuses(&line).await;
        assert!(error.contains(why), "{}: {error}", file.display());
    }
    assert_eq!(desk.greeting().await, before);
    assert_eq!(desk.blobs.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn greetings_of_every_kind_are_set_listed_and_removed() {
    let desk = desk().await;
    desk.says("tenant add default --time-zone Europe/Vienna").await;
    desk.says("mailbox add 1000").await;
    assert!(desk.says("greeting list --mailbox 1000").await.contains("made of its number"));
    let file = desk.wav(8_000, 1, 16, 8_000);
    let set = format!("greeting set --mailbox 1000 --file {}", file.display());
    desk.says(&set).await;
    desk.says(&format!("{set} --kind busy")).await;
    let said = desk.says(&format!("{set} --kind temporary --until 2100-12-24")).await;
    assert!(said.starts_with("Until 2100-12-25 00:00 CET all callers of mailbox 1000"), "{said}");
    assert_eq!(
        desk.says("greeting list --mailbox 1000").await,
        "KIND         LABEL  CHOSEN  LENGTH  UNTIL\n\
         busy                yes     1.0 s\n\
         temporary           yes     1.0 s   2100-12-25 00:00 CET\n\
         unavailable         yes     1.0 s\n"
    );
    desk.says(&format!("{set} --kind temporary --until 2100-07-01T13:30")).await;
    let listed = desk.says("greeting list --mailbox 1000").await;
    assert!(listed.contains("2100-07-01 13:30 CEST"), "{listed}");
    assert_eq!(desk.blobs.list().await.unwrap().len(), 3);

    let cases = [
        ("--kind temporary --until 2020-01-01", "is over already"),
        ("--kind temporary --until tomorrow", "write it like 2026-12-24"),
        ("--kind busy --until 2100-01-01", "only a temporary greeting"),
    ];
    for (more, why) in cases {
        let error = desk.refuses(&format!("{set} {more}")).await;
        assert!(error.contains(why), "{more}: {error}");
    }
    desk.says("greeting rm --mailbox 1000 --kind temporary").await;
    let again = desk.refuses("greeting rm --mailbox 1000 --kind temporary").await;
    assert!(again.contains("`afterbeep greeting list --mailbox 1000`"), "{again}");
    assert_eq!(desk.blobs.list().await.unwrap().len(), 2, "its sound is gone too");
}

#[tokio::test]
async fn greetings_are_kept_by_label_chosen_exported_and_removed() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000").await;
    let set = |seconds: u32, more: &str| {
        let file = desk.wav(8_000, 1, 16, 8_000 * seconds);
        format!("greeting set --mailbox 1000 --file {} {more}", file.display())
    };
    desk.says(&set(1, "")).await;
    desk.says(&set(2, "--label Summer")).await;
    let listed = desk.says("greeting list --mailbox 1000").await;
    assert!(listed.contains("unavailable          no      1.0 s\n"), "{listed}");
    assert!(listed.contains("unavailable  Summer  yes     2.0 s\n"), "{listed}");
    let wrong = desk.refuses("greeting choose --mailbox 1000 --label Winter").await;
    assert!(wrong.contains("no greeting of that kind and label"), "{wrong}");

    let which = "--mailbox 1000 --kind unavailable";
    let file = |name: &str| desk.dir.path().join(name);
    let (chosen, plain) = (file("chosen.wav"), file("plain.wav"));
    let to = |it: &PathBuf| format!("--to {}", it.display());
    desk.says(&format!("greeting export {which} {}", to(&chosen))).await;
    desk.says(&format!("greeting export {which} --label= --as-heard {}", to(&plain))).await;
    let read = |it: &PathBuf| wav::from_wav(&fs::read(it).unwrap(), 10).unwrap();
    assert_eq!((read(&chosen).rate, read(&chosen).samples.len()), (16_000, 32_000));
    assert_eq!((read(&plain).rate, read(&plain).samples.len()), (8_000, 8_000));
    let again = desk.refuses(&format!("greeting export {which} {}", to(&plain))).await;
    assert!(again.contains("is there already"), "{again}");

    desk.says(&format!("greeting rm {which} --label Summer")).await;
    let none = desk.refuses(&format!("greeting rm {which}")).await;
    assert!(none.contains("has no greeting of that kind"), "{none}");
    desk.says("greeting choose --mailbox 1000 --label=").await;
    desk.says(&format!("greeting rm {which}")).await;
    assert!(desk.blobs.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_is_set_listed_and_removed_and_is_no_tale() {
    let desk = desk().await;
    desk.says("tenant add default").await;
    desk.says("mailbox add 1000").await;
    let file = |seconds: u32| desk.wav(8_000, 1, 16, 8_000 * seconds);
    let long =
        desk.refuses(&format!("name set --mailbox 1000 --file {}", file(11).display())).await;
    assert!(long.contains("10 s at most"), "{long}");
    let none = desk.refuses("name rm --mailbox 1000").await;
    assert!(none.contains("has no name"), "{none}");
    desk.says(&format!("name set --mailbox 1000 --file {}", file(1).display())).await;
    assert_eq!(desk.says("name list").await, "MAILBOX  LENGTH\n1000     1.0 s\n");
    let to = desk.dir.path().join("name.wav");
    desk.says(&format!("name export --mailbox 1000 --to {}", to.display())).await;
    assert_eq!(wav::from_wav(&fs::read(to).unwrap(), 10).unwrap().samples.len(), 16_000);
    desk.says("name rm --mailbox 1000").await;
    assert!(desk.blobs.list().await.unwrap().is_empty());
    for (line, why) in [
        ("name set --mailbox 1000", "--file"),
        ("name set --mailbox 1000 --text Ann --file x.wav", "cannot be used with"),
        ("name set --mailbox 1000 --file x.wav --voice en-GB", "cannot be used with"),
        ("name set --mailbox 1000 --text Ann --language English", "is not a language"),
    ] {
        let error = desk.refuses(line).await;
        assert!(error.contains(why), "{line}: {error}");
    }
}

#[test]
fn every_verb_has_help_of_its_own() {
    use clap::CommandFactory;
    Line::command().debug_assert();
    for verb in Line::command().get_subcommands() {
        for deed in verb.get_subcommands() {
            let about = deed.get_about().map(ToString::to_string).unwrap_or_default();
            let name = deed.get_name();
            assert!(!about.is_empty(), "{} {name} says nothing", verb.get_name());
            let wrong = ["Settings of", "Whose things", "Whose it is", "Its settings"];
            assert!(!wrong.iter().any(|it| about.starts_with(it)), "{name}: {about}");
        }
    }
}

/// The verbs under test, as the program groups them.
#[derive(Parser)]
enum Line {
    #[command(subcommand)]
    Tenant(tenant::Command),
    #[command(subcommand)]
    User(user::Command),
    #[command(subcommand)]
    Mailbox(mailbox::Command),
    #[command(subcommand)]
    Message(message::Command),
    #[command(subcommand)]
    Jobs(jobs::Command),
    #[command(subcommand)]
    Greeting(greeting::Command),
    #[command(subcommand)]
    Name(name::Command),
}

/// Where an operator sits.
struct Desk {
    dir: TempDir,
    db: Db,
    blobs: Blobs,
    clock: Clock,
    studio: Studio,
}

async fn desk() -> Desk {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("afterbeep.db")).await.unwrap();
    let blobs = Blobs::open(&dir.path().join("blobs")).unwrap();
    let config = Config { data: dir.path().into(), ..Config::default() };
    let studio = Studio::new(&config, env!("CARGO_BIN_EXE_afterbeep").into());
    Desk { dir, db, blobs, clock: Clock::Real, studio }
}

impl Desk {
    async fn types(&self, line: &str) -> anyhow::Result<String> {
        let words = std::iter::once("afterbeep").chain(line.split_whitespace());
        let (db, blobs, clock) = (&self.db, &self.blobs, &self.clock);
        let mut out = Vec::new();
        match Line::try_parse_from(words)? {
            Line::Tenant(it) => tenant::run(it, db, clock, &mut out).await?,
            Line::User(it) => user::run(it, db, clock, &mut out).await?,
            Line::Mailbox(it) => mailbox::run(it, db, blobs, clock, &mut out).await?,
            Line::Message(it) => message::run(it, db, blobs, clock, &mut out).await?,
            Line::Jobs(it) => jobs::run(it, db, clock, &mut out).await?,
            Line::Greeting(it) => {
                greeting::run(it, db, blobs, clock, &self.studio, &mut out).await?
            }
            Line::Name(it) => name::run(it, db, blobs, clock, &self.studio, &mut out).await?,
        }
        Ok(String::from_utf8(out).unwrap())
    }

    async fn says(&self, line: &str) -> String {
        self.types(line).await.unwrap_or_else(|error| panic!("{line}: {error:#}"))
    }

    async fn refuses(&self, line: &str) -> String {
        match self.types(line).await {
            Ok(said) => panic!("{line}: {said}"),
            Err(error) => format!("{error:#}"),
        }
    }

    /// A message in mailbox 1000, transcribed.
    async fn message(&self) -> MessageId {
        let tenant = tenants::named(&self.db, "default").await.unwrap().unwrap();
        let mailbox = mailboxes::at(&self.db, &tenant.id, "1000").await.unwrap().unwrap();
        let id = self.clock.message_id();
        let blob = blobs::message(&id);
        self.blobs.put(&blob, "sound".into()).await.unwrap();
        let now = Timestamp(1_790_000_000_000);
        let envelope = Envelope {
            caller: Caller::claimed(Some("Marie"), Some("+33556123456")),
            received: now,
            length: Duration::from_millis(12_340),
            interrupted: true,
            reason: Reason::NoAnswer,
        };
        let filing = Filing {
            id,
            mailbox: mailbox.id.clone(),
            envelope,
            blob,
            limit: 100,
            rotates: true,
            transcribe: true,
            notify_due: now,
            recipients: mailbox.recipients(),
            marks: Default::default(),
            copies: false,
            origin: None,
        };
        messages::file(&self.db, &[filing], now).await.unwrap();
        let text = "Hello Ann,\u{1b}call me.".to_owned();
        let segment = Segment { start_ms: 0, end_ms: 900, text, confidence: 0.9 };
        let transcript =
            Transcript { language: "en".into(), segments: vec![segment], engine: "test".into() };
        transcripts::save(&self.db, &id, &transcript, now).await.unwrap();
        id
    }

    /// The sound of the greeting of mailbox 1000.
    async fn greeting(&self) -> bytes::Bytes {
        let tenant = tenants::named(&self.db, "default").await.unwrap().unwrap();
        let mailbox = mailboxes::at(&self.db, &tenant.id, "1000").await.unwrap().unwrap();
        let greetings = greetings::of(&self.db, &mailbox.id).await.unwrap();
        self.blobs.get(&greetings[0].blob).await.unwrap()
    }

    /// A recording of a square wave at a quarter of full scale.
    fn wav(&self, rate: u32, channels: u16, bits: u16, frames: u32) -> PathBuf {
        let path = self.dir.path().join(format!("{rate}-{channels}-{bits}-{frames}.wav"));
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        let high = 1 << (bits - 3);
        for frame in 0..frames {
            for _ in 0..channels {
                writer.write_sample(if frame / 40 % 2 == 0 { high } else { -high }).unwrap();
            }
        }
        writer.finalize().unwrap();
        path
    }
}
