//! The store, on a database of its own per test.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use afterbeep::{
    blobs::Blobs,
    clock::{self, Clock},
    mailbox::{
        Caller, Envelope, Folder, Mailbox, MailboxId, MessageId, Segment, TenantId, Timestamp,
        Transcript, UserId,
    },
    store::{
        Db, StoreError, deliveries,
        deliveries::State,
        greetings::{self, Greeting},
        jobs::{self, Kind},
        mailboxes::{self, Settings},
        messages::{self, Filed, Filing, Page, Transcription},
        people::{self, Person},
        tenants::{self, Tenant},
        transcripts,
    },
};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_file_is_private_and_can_be_opened_again_and_again() {
    let house = house().await;
    let path = house.dir.path().join("data/afterbeep.db");
    let again = Db::open(&path).await.unwrap();
    again.ping().await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = house.dir.path().join(format!("data/afterbeep.db{suffix}"));
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let folder = fs::metadata(path.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(folder & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_open_a_new_file_at_once_all_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let opening = (0..8).map(|_| {
        let path = dir.path().join("new.db");
        tokio::spawn(async move { Db::open(&path).await.map(drop) })
    });
    for opened in futures::future::join_all(opening).await {
        opened.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let house = house().await;
    let path = house.dir.path().join("data/afterbeep.db");
    let newer = raw(&path).await;
    newer
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (99999, 'from the future', true, x'00', 0)",
        )
        .await
        .unwrap();
    assert!(matches!(Db::open(&path).await, Err(StoreError::Migrate(_))));
}

#[tokio::test]
async fn every_statement_in_the_sources_is_understood_by_the_database() {
    let house = house().await;
    let pool = raw(&house.dir.path().join("data/afterbeep.db")).await;
    let mut statements = Vec::new();
    collect(Path::new("src/store"), &mut statements);
    assert!(statements.len() > 40, "only {} statements found", statements.len());
    for statement in statements {
        let sql = AssertSqlSafe(statement.clone()).into_sql_str();
        if let Err(error) = pool.prepare(sql).await {
            panic!("{error}:\n{statement}");
        }
    }
}

#[tokio::test]
async fn a_mailbox_has_its_tenants_settings_until_it_has_its_own() {
    let house = house().await;
    let tenant = house.tenant("acme", Some("voice.acme.example")).await;
    let id = house.mailbox_with(&tenant, "1000", &Settings::default()).await;
    let seen = mailboxes::at(&house.db, &tenant, "1000").await.unwrap().unwrap();
    assert_eq!((seen.time_zone.as_str(), seen.language.as_str()), ("Europe/Vienna", "de"));
    assert_eq!((seen.spoken.as_deref(), seen.transcribe), (Some("de"), true));
    assert!(seen.recipients.is_empty());

    let own = Settings {
        name: "Ann".into(),
        owner: None,
        time_zone: Some("America/Lima".into()),
        language: Some("es".into()),
        spoken: Some(Settings::DETECTED.into()),
        transcribe: Some(false),
        recipients: vec!["ann@acme.example".into()],
    };
    assert!(mailboxes::set(&house.db, &tenant, &id, &own).await.unwrap());
    let read = mailboxes::settings(&house.db, &tenant, &id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&own));
    let seen = mailboxes::at(&house.db, &tenant, "1000").await.unwrap().unwrap();
    assert_eq!((seen.time_zone.as_str(), seen.language.as_str()), ("America/Lima", "es"));
    assert_eq!((seen.spoken, seen.transcribe), (None, false));
    assert_eq!(seen.recipients, ["ann@acme.example"]);
}

#[tokio::test]
async fn mail_goes_to_the_owner_when_nobody_else_is_named() {
    let house = house().await;
    let tenant = house.tenant("acme", None).await;
    let bob = Person {
        id: UserId("bob".into()),
        tenant: tenant.clone(),
        name: "Bob".into(),
        email: "bob@acme.example".into(),
    };
    people::add(&house.db, &bob, NOW).await.unwrap();
    let settings = Settings { owner: Some(bob.id.clone()), ..Settings::default() };
    let id = house.mailbox_with(&tenant, "1000", &settings).await;
    let to = mailboxes::recipients(&house.db, &tenant, &id).await.unwrap();
    assert_eq!(to, ["bob@acme.example"]);

    assert!(people::remove(&house.db, &tenant, &bob.id).await.unwrap());
    assert!(people::list(&house.db, &tenant).await.unwrap().is_empty());
    assert!(mailboxes::recipients(&house.db, &tenant, &id).await.unwrap().is_empty());
    assert!(mailboxes::at(&house.db, &tenant, "1000").await.unwrap().is_some());
}

#[tokio::test]
async fn tenants_cannot_see_each_others_mailboxes_and_messages() {
    let house = house().await;
    let (ours, theirs) = (house.tenant("ours", None).await, house.tenant("theirs", None).await);
    let (here, there) = (house.mailbox(&ours, "1000").await, house.mailbox(&theirs, "1000").await);
    let private = house.mailbox(&theirs, "2000").await;
    assert_ne!(here.id, there.id);
    assert_eq!(mailboxes::at(&house.db, &ours, "2000").await.unwrap(), None);
    assert_eq!(mailboxes::list(&house.db, &ours).await.unwrap(), [here]);
    let settings = Settings::default();
    assert!(!mailboxes::set(&house.db, &ours, &private.id, &settings).await.unwrap());
    assert_eq!(mailboxes::settings(&house.db, &ours, &private.id).await.unwrap(), None);
    assert_eq!(mailboxes::remove(&house.db, &ours, &private.id).await.unwrap(), None);
    assert!(mailboxes::recipients(&house.db, &ours, &there.id).await.unwrap().is_empty());

    let filing = house.filing(&there);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    assert_eq!(messages::get(&house.db, &ours, &filing.id).await.unwrap(), None);
    assert!(messages::get(&house.db, &theirs, &filing.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_call_reaches_the_tenant_of_its_host_else_the_default_else_the_only_one() {
    let house = house().await;
    let reached = async |host: &str| {
        let found = mailboxes::reached(&house.db, host, "1000").await.unwrap();
        found.map(|it| it.tenant)
    };
    assert_eq!(reached("anything").await, None);

    let acme = house.tenant("acme", Some("Voice.Acme.Example")).await;
    house.mailbox(&acme, "1000").await;
    assert_eq!(reached("192.0.2.1").await.as_ref(), Some(&acme), "the only one");

    let other = house.tenant("other", Some("other.example")).await;
    house.mailbox(&other, "1000").await;
    assert_eq!(reached("192.0.2.1").await, None, "nobody can tell which");
    assert_eq!(reached("VOICE.acme.example").await, Some(acme));
    assert_eq!(reached("other.example").await.as_ref(), Some(&other));

    let default = house.tenant("default", None).await;
    assert_eq!(reached("192.0.2.1").await, None, "the default tenant has no such mailbox");
    house.mailbox(&default, "1000").await;
    assert_eq!(reached("192.0.2.1").await, Some(default));
    assert_eq!(reached("other.example").await, Some(other));
}

#[tokio::test]
async fn names_and_numbers_are_given_once() {
    let house = house().await;
    let acme = house.tenant("acme", Some("acme.example")).await;
    house.mailbox(&acme, "1000").await;
    let again = tenant("acme", None);
    let error = tenants::add(&house.db, &again, NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "there is already a tenant called \"acme\"");
    let domain = tenant("other", Some("ACME.example"));
    let error = tenants::add(&house.db, &domain, NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "there is already a SIP domain called \"ACME.example\"");
    assert!(!error.is_temporary());

    let id = MailboxId("another".into());
    let added = mailboxes::add(&house.db, &acme, &id, "1000", &Settings::default(), NOW).await;
    assert!(matches!(added, Err(StoreError::Taken { what: "mailbox", .. })));
}

#[tokio::test]
async fn nothing_is_removed_while_something_lies_in_it() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let greeting = Greeting { blob: "greetings/1.wav".into(), length: Duration::from_secs(3) };
    greetings::set(&house.db, &mailbox.id, greetings::Kind::Unavailable, &greeting, NOW)
        .await
        .unwrap();

    let kept = tenants::remove(&house.db, &acme).await;
    assert!(matches!(kept, Err(StoreError::InUse { count: 1, .. })));
    let kept = mailboxes::remove(&house.db, &acme, &mailbox.id).await;
    assert!(matches!(kept, Err(StoreError::InUse { count: 1, .. })));

    messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap().unwrap();
    let blobs = mailboxes::remove(&house.db, &acme, &mailbox.id).await.unwrap();
    assert_eq!(blobs.unwrap(), ["greetings/1.wav"]);
    assert!(tenants::remove(&house.db, &acme).await.unwrap());
    assert!(!tenants::remove(&house.db, &acme).await.unwrap());
    let late = messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    assert_eq!(late, [Filed::NoMailbox]);
}

#[tokio::test]
async fn a_new_greeting_names_the_sound_it_replaces() {
    let house = house().await;
    let acme = house.tenant("acme", None).await;
    let mailbox = house.mailbox(&acme, "1000").await.id;
    let kind = greetings::Kind::Unavailable;
    assert_eq!(greetings::of(&house.db, &mailbox, kind).await.unwrap(), None);
    let one = Greeting { blob: "greetings/1.wav".into(), length: Duration::from_millis(2500) };
    let two = Greeting { blob: "greetings/2.wav".into(), length: Duration::from_millis(3500) };
    assert_eq!(greetings::set(&house.db, &mailbox, kind, &one, NOW).await.unwrap(), None);
    let replaced = greetings::set(&house.db, &mailbox, kind, &two, NOW).await.unwrap();
    assert_eq!(replaced.as_deref(), Some("greetings/1.wav"));
    assert_eq!(greetings::of(&house.db, &mailbox, kind).await.unwrap(), Some(two));
    assert!(messages::has_blob(&house.db, "greetings/2.wav").await.unwrap());
    assert!(!messages::has_blob(&house.db, "greetings/1.wav").await.unwrap());
}

#[tokio::test]
async fn a_take_is_filed_once_however_often_it_is_said() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    let twice = [filing.clone(), filing.clone()];
    let filed = messages::file(&house.db, &twice, NOW).await.unwrap();
    assert_eq!(filed, [Filed::New, Filed::Already]);
    let filed = messages::file(&house.db, &twice[..1], NOW).await.unwrap();
    assert_eq!(filed, [Filed::Already]);

    let (message, at) = messages::for_job(&house.db, &filing.id).await.unwrap().unwrap();
    assert_eq!((message.folder, &at), (Folder::New, &mailbox));
    assert_eq!(message.envelope, filing.envelope);
    assert_eq!(message.blob, filing.blob);
    assert_eq!(message.transcription, Transcription::Waiting);
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 1);
    assert_eq!(jobs::list(&house.db).await.unwrap().len(), 2);
    assert_eq!(deliveries::of(&house.db, &filing.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn jobs_exist_only_with_their_message_and_only_those_wanted() {
    let (house, mailbox) = house_with_mailbox().await;
    let mut stray = house.filing(&mailbox);
    stray.mailbox = MailboxId("nowhere".into());
    let silent = Filing { transcribe: false, recipients: vec![], ..house.filing(&mailbox) };
    let spoken = house.filing(&mailbox);
    let all = [stray, silent.clone(), spoken.clone()];
    let filed = messages::file(&house.db, &all, NOW).await.unwrap();
    assert_eq!(filed, [Filed::NoMailbox, Filed::New, Filed::New]);

    let jobs = jobs::list(&house.db).await.unwrap();
    let listed: Vec<_> = jobs.iter().map(|it| (it.job.kind, it.job.subject, it.due)).collect();
    let notify = (Kind::Notify, spoken.id, spoken.notify_due);
    assert_eq!(listed, [(Kind::Transcribe, spoken.id, NOW), notify]);
    let (message, _) = messages::for_job(&house.db, &silent.id).await.unwrap().unwrap();
    assert_eq!(message.transcription, Transcription::Off);
}

#[tokio::test]
async fn a_group_is_filed_as_a_whole_or_not_at_all() {
    let (house, mailbox) = house_with_mailbox().await;
    let pool = raw(&house.dir.path().join("data/afterbeep.db")).await;
    pool.execute(
        "create trigger full before insert on message when new.blob = 'unlucky'
         begin select raise(abort, 'disk full'); end",
    )
    .await
    .unwrap();
    let mut group = vec![house.filing(&mailbox), house.filing(&mailbox)];
    group[1].blob = "unlucky".into();
    messages::file(&house.db, &group, NOW).await.unwrap_err();
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 0);
    assert!(jobs::list(&house.db).await.unwrap().is_empty());

    pool.execute("drop trigger full").await.unwrap();
    let filed = messages::file(&house.db, &group, NOW).await.unwrap();
    assert_eq!(filed, [Filed::New, Filed::New]);
}

#[tokio::test]
async fn a_crash_between_sound_and_row_leaves_a_sound_without_row_never_the_reverse() {
    let (house, mailbox) = house_with_mailbox().await;
    let blobs = Blobs::open(&house.dir.path().join("blobs")).unwrap();
    let pool = raw(&house.dir.path().join("data/afterbeep.db")).await;
    let filings: Vec<_> = (0..20).map(|_| house.filing(&mailbox)).collect();
    for (nth, filing) in filings.iter().enumerate() {
        blobs.put(&filing.blob, "sound".into()).await.unwrap();
        // Every third time the power goes before the commit.
        let lost = nth % 3 == 0;
        if lost {
            pool.execute("alter table tombstone rename to gone").await.unwrap();
        }
        let filed = messages::file(&house.db, std::slice::from_ref(filing), NOW).await;
        assert_eq!(filed.is_err(), lost, "{filed:?}");
        if lost {
            pool.execute("alter table gone rename to tombstone").await.unwrap();
        }
    }
    let there = messages::list(&house.db, &mailbox.id, None, Page::first(99)).await.unwrap();
    assert_eq!(there.len(), 13);
    for message in &there {
        assert_eq!(blobs.get(&message.blob).await.unwrap(), "sound");
    }
    let mut left = 0;
    for key in blobs.list().await.unwrap() {
        left += usize::from(!messages::has_blob(&house.db, &key).await.unwrap());
    }
    assert_eq!(left, 7);

    for filing in &filings {
        blobs.put(&filing.blob, "sound".into()).await.unwrap();
    }
    let filed = messages::file(&house.db, &filings, NOW).await.unwrap();
    assert_eq!(filed.iter().filter(|it| **it == Filed::New).count(), 7);
    for key in blobs.list().await.unwrap() {
        assert!(messages::has_blob(&house.db, &key).await.unwrap(), "{key}");
    }
}

#[tokio::test]
async fn a_purged_message_stays_away_and_takes_everything_with_it() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap();
    let held = jobs::claim(&house.db, Kind::Notify, NOW, LEASE).await.unwrap().unwrap();

    let purged = messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap();
    assert_eq!(purged.unwrap().orphan.as_deref(), Some(filing.blob.as_str()));
    assert_eq!(messages::purge(&house.db, &mailbox.id, &filing.id, NOW).await.unwrap(), None);
    let again = messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    assert_eq!(again, [Filed::Purged]);

    assert_eq!(messages::for_job(&house.db, &filing.id).await.unwrap(), None);
    assert_eq!(transcripts::of(&house.db, &filing.id).await.unwrap(), None);
    assert!(deliveries::of(&house.db, &filing.id).await.unwrap().is_empty());
    assert!(jobs::list(&house.db).await.unwrap().is_empty());
    assert!(!jobs::finish(&house.db, &held).await.unwrap());
    assert!(!transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap());
    assert!(!transcripts::give_up(&house.db, &filing.id, "late", NOW).await.unwrap());
}

#[tokio::test]
async fn a_sound_in_two_mailboxes_outlives_the_first_purge() {
    let (house, mailbox) = house_with_mailbox().await;
    let one = house.filing(&mailbox);
    let copy = Filing { blob: one.blob.clone(), ..house.filing(&mailbox) };
    messages::file(&house.db, &[one.clone(), copy.clone()], NOW).await.unwrap();
    let first = messages::purge(&house.db, &mailbox.id, &one.id, NOW).await.unwrap().unwrap();
    assert_eq!(first.orphan, None);
    assert!(messages::has_blob(&house.db, &one.blob).await.unwrap());
    let last = messages::purge(&house.db, &mailbox.id, &copy.id, NOW).await.unwrap().unwrap();
    assert_eq!(last.orphan, Some(one.blob));
}

#[tokio::test]
async fn a_message_moves_between_folders_of_its_own_mailbox_only() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let moved = messages::move_to(&house.db, &mailbox.id, &filing.id, Folder::Saved).await;
    assert!(moved.unwrap());
    let saved = messages::list(&house.db, &mailbox.id, Some(Folder::Saved), Page::first(9)).await;
    assert_eq!(saved.unwrap().len(), 1);
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 0);
    let elsewhere = house.mailbox(&mailbox.tenant, "2000").await;
    let moved = messages::move_to(&house.db, &elsewhere.id, &filing.id, Folder::New).await;
    assert!(!moved.unwrap());
    let purged = messages::purge(&house.db, &elsewhere.id, &filing.id, NOW).await;
    assert_eq!(purged.unwrap(), None);
}

#[tokio::test]
async fn a_list_is_newest_first_and_goes_on_where_it_stopped() {
    let (house, mailbox) = house_with_mailbox().await;
    let mut filings: Vec<_> = (0..7).map(|_| house.filing(&mailbox)).collect();
    for (nth, filing) in filings.iter_mut().enumerate() {
        // Pairs with the same time: the id decides.
        filing.envelope.received = Timestamp(NOW.0 + nth as i64 / 2);
    }
    messages::file(&house.db, &filings, NOW).await.unwrap();
    let mut expected: Vec<_> = filings.iter().map(|it| (it.envelope.received, it.id)).collect();
    expected.sort();
    expected.reverse();

    let (mut seen, mut page) = (Vec::new(), Page::first(3));
    loop {
        let some = messages::list(&house.db, &mailbox.id, None, page).await.unwrap();
        let Some(last) = some.last() else { break };
        page.before = Some((last.envelope.received, last.id));
        seen.extend(some.iter().map(|it| (it.envelope.received, it.id)));
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_finished_transcript_makes_the_mail_due_now() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let soon = NOW + Duration::from_secs(5);
    assert_eq!(jobs::claim(&house.db, Kind::Notify, soon, LEASE).await.unwrap(), None);
    assert_eq!(jobs::next_due(&house.db, Kind::Notify).await.unwrap(), Some(filing.notify_due));

    let mut odd = transcript();
    odd.segments[0].confidence = f32::NAN;
    assert!(transcripts::save(&house.db, &filing.id, &odd, soon).await.unwrap());
    assert_eq!(jobs::next_due(&house.db, Kind::Notify).await.unwrap(), Some(soon));
    assert!(jobs::claim(&house.db, Kind::Notify, soon, LEASE).await.unwrap().is_some());
    assert!(transcripts::save(&house.db, &filing.id, &transcript(), soon).await.unwrap());
    let read = transcripts::of(&house.db, &filing.id).await.unwrap();
    assert_eq!(read, Some(transcript()));
    let (message, _) = messages::for_job(&house.db, &filing.id).await.unwrap().unwrap();
    assert_eq!(message.transcription, Transcription::Done);
}

#[tokio::test]
async fn a_transcript_given_up_says_why_and_does_not_hurry_a_mail_that_was_refused() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let due = filing.notify_due;
    let job = jobs::claim(&house.db, Kind::Notify, due, LEASE).await.unwrap().unwrap();
    let later = due + Duration::from_secs(600);
    assert!(jobs::retry(&house.db, &job, "451 later", later).await.unwrap());

    transcripts::give_up(&house.db, &filing.id, "the model is missing", NOW).await.unwrap();
    assert_eq!(jobs::next_due(&house.db, Kind::Notify).await.unwrap(), Some(later));
    let (message, _) = messages::for_job(&house.db, &filing.id).await.unwrap().unwrap();
    let failed = Transcription::Failed("the model is missing".into());
    assert_eq!(message.transcription, failed);

    transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap();
    transcripts::give_up(&house.db, &filing.id, "a late worker", NOW).await.unwrap();
    let (message, _) = messages::for_job(&house.db, &filing.id).await.unwrap().unwrap();
    assert_eq!(message.transcription, Transcription::Done);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_is_not_believed() {
    let (house, mailbox) = house_with_mailbox().await;
    messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    let claim = async |at| jobs::claim(&house.db, Kind::Transcribe, at, LEASE).await.unwrap();
    let first = claim(NOW).await.unwrap();
    assert_eq!(claim(NOW).await, None);
    let until = jobs::next_due(&house.db, Kind::Transcribe).await.unwrap();
    assert_eq!(until, Some(NOW + LEASE));

    let longer = NOW + 2 * LEASE;
    assert!(jobs::renew(&house.db, &first, longer).await.unwrap());
    assert_eq!(claim(NOW + LEASE).await, None);
    let second = claim(longer).await.unwrap();
    assert_eq!((second.id.as_str(), second.attempts), (first.id.as_str(), 2));
    assert!(!jobs::renew(&house.db, &first, longer + LEASE).await.unwrap());
    assert!(!jobs::finish(&house.db, &first).await.unwrap());
    assert!(!jobs::retry(&house.db, &first, "late", longer).await.unwrap());
    assert!(!jobs::bury(&house.db, &first, "late").await.unwrap());
    assert!(jobs::finish(&house.db, &second).await.unwrap());
    assert_eq!(claim(longer + LEASE).await, None);
    assert_eq!(jobs::next_due(&house.db, Kind::Transcribe).await.unwrap(), None);
}

#[tokio::test]
async fn a_buried_job_rests_until_it_is_revived_as_a_new_one() {
    let (house, mailbox) = house_with_mailbox().await;
    messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    let kind = Kind::Transcribe;
    let first = jobs::claim(&house.db, kind, NOW, LEASE).await.unwrap().unwrap();
    let later = NOW + 2 * LEASE;
    let second = jobs::claim(&house.db, kind, later, LEASE).await.unwrap().unwrap();
    assert!(!jobs::revive(&house.db, &second.id, later).await.unwrap(), "it is not buried");
    assert!(jobs::bury(&house.db, &second, "the sound is missing").await.unwrap());
    let much_later = NOW + 100 * LEASE;
    assert_eq!(jobs::claim(&house.db, kind, much_later, LEASE).await.unwrap(), None);
    assert_eq!(jobs::next_due(&house.db, kind).await.unwrap(), None);
    let listed = jobs::list(&house.db).await.unwrap();
    let grave = listed.iter().find(|it| it.buried).unwrap();
    assert_eq!(grave.error.as_deref(), Some("the sound is missing"));

    assert!(jobs::revive(&house.db, &grave.job.id, much_later).await.unwrap());
    let third = jobs::claim(&house.db, kind, much_later, LEASE).await.unwrap().unwrap();
    assert_eq!(third.attempts, 1);
    assert!(
        !jobs::finish(&house.db, &first).await.unwrap(),
        "also a first attempt, of the old job"
    );
    assert!(jobs::finish(&house.db, &third).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_two_workers_hold_one_job_while_messages_are_filed() {
    const MESSAGES: usize = 60;
    let (house, mailbox) = house_with_mailbox().await;
    let filing: Vec<_> = (0..MESSAGES).map(|_| house.filing(&mailbox)).collect();
    let filers = filing.chunks(MESSAGES / 4).map(|some| {
        let (db, some) = (house.db.clone(), some.to_vec());
        tokio::spawn(async move {
            for filing in some {
                let filed = messages::file(&db, &[filing], NOW).await.unwrap();
                assert_eq!(filed, [Filed::New]);
            }
            Vec::new()
        })
    });
    // Workers of two processes: the second has connections of its own.
    let other = Db::open(&house.dir.path().join("data/afterbeep.db")).await.unwrap();
    let workers = (0..8).map(|nth| {
        let db = if nth % 2 == 0 { house.db.clone() } else { other.clone() };
        tokio::spawn(async move {
            let mut held = Vec::new();
            let mut idle = 0;
            while idle < 200 {
                match jobs::claim(&db, Kind::Transcribe, NOW, LEASE).await.unwrap() {
                    Some(job) => {
                        idle = 0;
                        held.push(job.subject);
                        assert!(jobs::finish(&db, &job).await.unwrap());
                    }
                    None => {
                        idle += 1;
                        tokio::task::yield_now().await;
                    }
                }
            }
            held
        })
    });
    let mut held = Vec::new();
    for done in futures::future::join_all(filers.chain(workers)).await {
        held.extend(done.unwrap());
    }
    while let Some(job) = jobs::claim(&house.db, Kind::Transcribe, NOW, LEASE).await.unwrap() {
        held.push(job.subject);
        jobs::finish(&house.db, &job).await.unwrap();
    }
    held.sort();
    let mut expected: Vec<_> = filing.iter().map(|it| it.id).collect();
    expected.sort();
    assert_eq!(held, expected);
}

#[tokio::test]
async fn what_was_held_before_a_restart_is_free_after_it() {
    let (house, mailbox) = house_with_mailbox().await;
    messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    let held = jobs::claim(&house.db, Kind::Transcribe, NOW, LEASE).await.unwrap().unwrap();
    assert_eq!(jobs::reclaim(&house.db, NOW).await.unwrap(), 1);
    let again = jobs::claim(&house.db, Kind::Transcribe, NOW, LEASE).await.unwrap().unwrap();
    assert_eq!(again.attempts, 2);
    assert!(!jobs::finish(&house.db, &held).await.unwrap());
}

#[test]
fn waits_grow_to_an_hour_and_chance_spreads_them_by_a_fifth() {
    let waits: Vec<_> = (1..=9).map(|it| jobs::backoff(it, 0.0).as_secs()).collect();
    assert_eq!(waits, [30, 60, 120, 300, 900, 1800, 3600, 3600, 3600]);
    assert_eq!(jobs::backoff(1, 1.0), Duration::from_secs(36));
    assert_eq!(jobs::backoff(0, f64::NAN), Duration::from_secs(30));
    assert_eq!(jobs::backoff(u32::MAX, 7.0), Duration::from_secs(4320));
}

#[tokio::test]
async fn an_accepted_delivery_stays_accepted() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    let (db, id) = (&house.db, &filing.id);
    messages::file(db, std::slice::from_ref(&filing), NOW).await.unwrap();
    let [ann, bob] = ["ann@acme.example", "bob@acme.example"];
    let later = NOW + LEASE;
    assert!(deliveries::deferred(db, id, ann, "451 greylisted", later).await.unwrap());
    let open = deliveries::of(db, id).await.unwrap();
    assert_eq!((open[0].state, open[0].next_try), (State::Deferred, Some(later)));
    assert!(open.iter().all(|it| it.is_open()));

    assert!(deliveries::accepted(db, id, ann, "250 queued as 1").await.unwrap());
    assert!(!deliveries::failed(db, id, ann, "550 a late worker").await.unwrap());
    assert!(deliveries::failed(db, id, bob, &"5".repeat(10_000)).await.unwrap());
    assert!(!deliveries::deferred(db, id, bob, "451", later).await.unwrap());
    assert!(!deliveries::accepted(db, id, "nobody@acme.example", "250").await.unwrap());

    let closed = deliveries::of(db, id).await.unwrap();
    assert_eq!((closed[0].state, closed[0].attempts), (State::Accepted, 2));
    assert_eq!(closed[0].reply.as_deref(), Some("250 queued as 1"));
    assert_eq!((closed[1].state, closed[1].reply.as_ref().unwrap().len()), (State::Failed, 500));
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let (house, mailbox) = house_with_mailbox().await;
    let filing = house.filing(&mailbox);
    messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap();
    transcripts::save(&house.db, &filing.id, &transcript(), NOW).await.unwrap();
    let (jobs, found) = (
        jobs::list(&house.db).await.unwrap(),
        messages::for_job(&house.db, &filing.id).await.unwrap(),
    );
    house.db.close().await;

    let db = Db::open(&house.dir.path().join("data/afterbeep.db")).await.unwrap();
    assert_eq!(jobs::list(&db).await.unwrap(), jobs);
    assert_eq!(messages::for_job(&db, &filing.id).await.unwrap(), found);
    assert_eq!(transcripts::of(&db, &filing.id).await.unwrap(), Some(transcript()));
    assert_eq!(mailboxes::at(&db, &mailbox.tenant, "1000").await.unwrap(), Some(mailbox));
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_a_temporary_trouble() {
    let (house, mailbox) = house_with_mailbox().await;
    let pool = raw(&house.dir.path().join("data/afterbeep.db")).await;
    let lock = pool.begin_with("begin immediate").await.unwrap();
    let filing = house.filing(&mailbox);
    let error = messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 0);
    lock.rollback().await.unwrap();
    let filed = messages::file(&house.db, &[filing], NOW).await.unwrap();
    assert_eq!(filed, [Filed::New]);
}

#[tokio::test]
async fn five_hundred_messages_are_filed_within_seconds() {
    let (house, mailbox) = house_with_mailbox().await;
    let filings: Vec<_> = (0..1000).map(|_| house.filing(&mailbox)).collect();
    let begun = clock::instant();
    for filing in &filings[..500] {
        messages::file(&house.db, std::slice::from_ref(filing), NOW).await.unwrap();
    }
    let alone = begun.elapsed();
    let begun = clock::instant();
    for group in filings[500..].chunks(20) {
        messages::file(&house.db, group, NOW).await.unwrap();
    }
    eprintln!("500 filings: one by one {alone:?}, in groups of 20 {:?}", begun.elapsed());
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 1000);
    assert!(alone < Duration::from_secs(50), "a filing has 50 ms, these took {alone:?}");
}

/// A database with nothing in it.
struct House {
    dir: TempDir,
    db: Db,
    clock: Clock,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("data/afterbeep.db")).await.unwrap();
    House { dir, db, clock: Clock::Real }
}

async fn house_with_mailbox() -> (House, Mailbox) {
    let house = house().await;
    let tenant = house.tenant("default", None).await;
    let mailbox = house.mailbox(&tenant, "1000").await;
    (house, mailbox)
}

impl House {
    async fn tenant(&self, name: &str, domain: Option<&str>) -> TenantId {
        let tenant = tenant(name, domain);
        tenants::add(&self.db, &tenant, NOW).await.unwrap();
        tenant.id
    }

    async fn mailbox(&self, tenant: &TenantId, number: &str) -> Mailbox {
        self.mailbox_with(tenant, number, &Settings::default()).await;
        mailboxes::at(&self.db, tenant, number).await.unwrap().unwrap()
    }

    async fn mailbox_with(&self, tenant: &TenantId, number: &str, own: &Settings) -> MailboxId {
        let id = MailboxId(self.clock.message_id().to_string());
        mailboxes::add(&self.db, tenant, &id, number, own, NOW).await.unwrap();
        id
    }

    fn filing(&self, mailbox: &Mailbox) -> Filing {
        let id: MessageId = self.clock.message_id();
        Filing {
            id,
            mailbox: mailbox.id.clone(),
            envelope: Envelope {
                caller: Caller::claimed(Some("Marie Dupont"), Some("+33556123456")),
                received: NOW,
                length: Duration::from_millis(12_340),
                interrupted: true,
            },
            blob: afterbeep::blobs::message(&id),
            transcribe: true,
            notify_due: NOW + LEASE,
            recipients: vec!["ann@acme.example".into(), "bob@acme.example".into()],
        }
    }
}

fn tenant(name: &str, domain: Option<&str>) -> Tenant {
    Tenant {
        id: TenantId(Clock::Real.message_id().to_string()),
        name: name.into(),
        sip_domain: domain.map(str::to_owned),
        time_zone: "Europe/Vienna".into(),
        language: "de".into(),
        spoken: Some("de".into()),
        transcribe: true,
    }
}

fn transcript() -> Transcript {
    let segment = Segment {
        start_ms: 120,
        end_ms: 2_400,
        text: "Servus, \"Ann\" \u{1f44b}".into(),
        confidence: 0.87,
    };
    Transcript { language: "de".into(), segments: vec![segment], engine: "whisper tiny".into() }
}

/// The same file, past the store's own functions.
async fn raw(path: &Path) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    sqlx::SqlitePool::connect_with(options).await.unwrap()
}

/// Every string literal that is a statement.
fn collect(dir: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let verbs = ["select ", "insert into ", "update ", "delete from ", "pragma "];
            let literals = text.split('"').skip(1).step_by(2);
            let statements = literals.filter(|it| verbs.iter().any(|verb| it.starts_with(verb)));
            into.extend(statements.map(str::to_owned));
        }
    }
}
