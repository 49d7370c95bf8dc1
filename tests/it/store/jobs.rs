//! Jobs, and what they work on: transcripts and deliveries.

use std::time::Duration;

use afterbeep::store::{
    deliveries::{self, State},
    jobs::{self, Kind},
    messages::{self, Filed, Transcription},
    transcripts,
};

use super::house::{LEASE, NOW, house_with_mailbox, transcript};

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
    let other = house.again().await;
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
    let first = Duration::from_secs(30);
    let waits: Vec<_> = (1..=9).map(|it| jobs::backoff(first, it, 0.0).as_secs()).collect();
    assert_eq!(waits, [30, 60, 120, 300, 900, 1800, 3600, 3600, 3600]);
    assert_eq!(jobs::backoff(first, 1, 1.0), Duration::from_secs(36));
    assert_eq!(jobs::backoff(first, 0, f64::NAN), first);
    assert_eq!(jobs::backoff(first, u32::MAX, 7.0), Duration::from_secs(4320));
    assert_eq!(jobs::backoff(Duration::MAX, 7, 0.0), Duration::from_secs(3600));
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

    assert!(deliveries::accepted(db, id, ann, "250 queued as 1", true).await.unwrap());
    assert!(!deliveries::failed(db, id, ann, "550 a late worker").await.unwrap());
    assert!(deliveries::failed(db, id, bob, &"5".repeat(10_000)).await.unwrap());
    assert!(!deliveries::deferred(db, id, bob, "451", later).await.unwrap());
    let nobody = deliveries::accepted(db, id, "nobody@acme.example", "250", true).await;
    assert!(!nobody.unwrap());

    let closed = deliveries::of(db, id).await.unwrap();
    assert_eq!((closed[0].state, closed[0].attempts), (State::Accepted, 2));
    assert_eq!((closed[0].with_audio, closed[1].with_audio), (true, false));
    assert_eq!(closed[0].reply.as_deref(), Some("250 queued as 1"));
    assert_eq!((closed[1].state, closed[1].reply.as_ref().unwrap().len()), (State::Failed, 500));
}
