//! The lamps of phones that subscribe to a real server, and of those it tells unasked.

mod handset;
mod refused;

use std::time::{Duration, Instant};

use afterbeep::clock::Clock;
use afterbeep::mailbox::{Caller, Envelope, Folder, MessageId, Reason};
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::{Db, mailboxes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::call::words;
use crate::house::{House, PATIENCE};
use crate::phone::lamp::Lamp;
use crate::phone::{Phone, header, status};

/// A phone system at 127.0.0.1 is believed; who comes from elsewhere here is not.
pub(crate) fn settings(more: &str) -> String {
    format!(
        "[sip]\nidentity_from = [\"127.0.0.1/32\"]\n[sip.lamp]\n{more}\n\
         [speech]\nmodels = \"/nonexistent\"\n"
    )
}

/// A phone that shows what lies in 1000.
async fn lamp(house: &House) -> Lamp {
    let mut lamp = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    let answer = lamp.subscribe(Some(600)).await.unwrap();
    assert_eq!(status(&answer), 200, "{answer}");
    lamp
}

/// A message in 1000, put there by another process.
pub(crate) async fn file(db: &Db) -> MessageId {
    let mailbox = mailboxes::reached(db, "localhost", "1000").await.unwrap().unwrap();
    let id = Clock::Real.message_id();
    let filing = Filing {
        id,
        mailbox: mailbox.id,
        envelope: Envelope {
            caller: Caller::default(),
            received: Clock::Real.now(),
            length: Duration::from_secs(4),
            interrupted: false,
            reason: Reason::Unknown,
        },
        blob: afterbeep::blobs::message(&id),
        limit: 100,
        rotates: true,
        transcribe: false,
        notify_due: Clock::Real.now(),
        recipients: Vec::new(),
        marks: Default::default(),
        copies: false,
        origin: None,
    };
    messages::file(db, &[filing], Clock::Real.now()).await.unwrap();
    id
}

pub(crate) async fn move_to(db: &Db, id: &MessageId, folder: Folder) {
    let mailbox = mailboxes::reached(db, "localhost", "1000").await.unwrap().unwrap();
    let now = Clock::Real.now();
    assert!(messages::move_to(db, &mailbox.id, id, folder, "test", now).await.unwrap());
}

#[tokio::test]
async fn the_lamp_goes_on_with_a_message_and_off_when_it_is_heard_or_deleted() {
    let house = House::start(&settings(""));
    let mut lamp = lamp(&house).await;
    let first = lamp.next().await.unwrap();
    assert_eq!(first.header("Event"), "message-summary");
    assert_eq!(first.header("Content-Type"), "application/simple-message-summary");
    assert_eq!(first.header("Call-ID"), lamp.call_id);
    assert_eq!((first.header("To"), first.header("From")), (&*lamp.from, &*lamp.to));
    let state = first.header("Subscription-State");
    let left: u32 = state.strip_prefix("active;expires=").unwrap().parse().unwrap();
    assert!((590..=600).contains(&left), "{state}");
    let body = first.text.split("\r\n\r\n").nth(1).unwrap();
    let account = format!("sip:1000@{}", house.sip.ip());
    let wanted = format!(
        "Messages-Waiting: no\r\nMessage-Account: {account}\r\nVoice-Message: 0/0 (0/0)\r\n"
    );
    assert_eq!(body, wanted);

    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(3)).await.unwrap();
    call.hang_up().await.unwrap();
    assert!(lamp.until("1/0 (0/0)").await.unwrap().is_lit());

    let id = house.messages(1).await[0].id.to_string();
    for (folder, voice, lit) in
        [("saved", "0/1 (0/0)", false), ("new", "1/0 (0/0)", true), ("deleted", "0/0 (0/0)", false)]
    {
        house.run(&["message", "move", &id, "--to", folder]);
        assert_eq!(lamp.until(voice).await.unwrap().is_lit(), lit);
    }
}

#[tokio::test]
async fn many_changes_at_once_are_told_once_a_second() {
    let house = House::start(&settings(""));
    let mut lamp = lamp(&house).await;
    lamp.until("0/0 (0/0)").await.unwrap();
    let db = house.db().await;
    for _ in 0..20 {
        file(&db).await;
    }
    let mut told = Vec::new();
    while told.last() != Some(&"20/0 (0/0)".to_owned()) {
        let began = Instant::now();
        told.push(lamp.next().await.unwrap().voice().to_owned());
        assert!(told.len() == 1 || began.elapsed() > Duration::from_millis(700), "{told:?}");
    }
    assert!(told.len() <= 5, "{told:?}");
    db.close().await;
}

#[tokio::test]
async fn phones_are_told_anew_after_a_restart_without_subscribing_again() {
    let mut house = House::start(&settings(""));
    let mut lamp = lamp(&house).await;
    let before = lamp.until("0/0 (0/0)").await.unwrap();
    house.kill();
    // A message that came in between.
    let db = house.db().await;
    file(&db).await;
    house.restart();
    let after = lamp.until("1/0 (0/0)").await.unwrap();
    for name in ["Call-ID", "From", "To", "Event"] {
        assert_eq!(after.header(name), before.header(name));
    }
    assert!(after.sequence() > before.sequence());
    file(&db).await;
    lamp.until("2/0 (0/0)").await.unwrap();
    let answer = lamp.subscribe(Some(300)).await.unwrap();
    assert_eq!(status(&answer), 200, "{answer}");
    lamp.until("2/0 (0/0)").await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn whoever_renews_is_told_at_once_and_whoever_ends_it_a_last_time() {
    let house = House::start(&settings(""));
    let mut lamp = lamp(&house).await;
    lamp.until("0/0 (0/0)").await.unwrap();
    // Longer than is granted.
    let answer = lamp.subscribe(Some(86_400)).await.unwrap();
    assert_eq!((status(&answer), header(&answer, "Expires")), (200, Some("3600")));
    lamp.until("0/0 (0/0)").await.unwrap();
    let answer = lamp.subscribe(Some(0)).await.unwrap();
    assert_eq!((status(&answer), header(&answer, "Expires")), (200, Some("0")));
    let last = lamp.until("0/0 (0/0)").await.unwrap();
    assert_eq!(last.header("Subscription-State"), "terminated;reason=timeout");
    assert_eq!(status(&lamp.subscribe(Some(600)).await.unwrap()), 481);
    assert!(house.run(&["lamp", "list"]).contains("Nobody is told"));
}

#[tokio::test]
async fn who_asks_for_no_time_is_told_once_and_who_names_none_gets_the_longest() {
    let house = House::start(&settings(""));
    let db = house.db().await;
    file(&db).await;
    let mut once = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    assert_eq!(status(&once.subscribe(Some(0)).await.unwrap()), 200);
    let told = once.until("1/0 (0/0)").await.unwrap();
    assert_eq!(told.header("Subscription-State"), "terminated;reason=timeout");
    let mut long = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    let answer = long.subscribe(None).await.unwrap();
    assert_eq!(header(&answer, "Expires"), Some("3600"));
    long.until("1/0 (0/0)").await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_subscription_that_nobody_renews_ends_and_says_so() {
    let house = House::start(&settings("shortest = \"1s\""));
    let mut lamp = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    assert_eq!(status(&lamp.subscribe(Some(1)).await.unwrap()), 200);
    let first = lamp.next().await.unwrap();
    assert!(first.header("Subscription-State").starts_with("active;expires="));
    let last = lamp.next().await.unwrap();
    assert_eq!(last.header("Subscription-State"), "terminated;reason=timeout");
    assert_eq!(status(&lamp.subscribe(Some(600)).await.unwrap()), 481);
}

#[tokio::test]
async fn a_phone_that_knows_no_such_subscription_is_not_told_again() {
    let house = House::start(&settings(""));
    let mut lamp = lamp(&house).await;
    lamp.until("0/0 (0/0)").await.unwrap();
    lamp.answers = "481 Subscription Does Not Exist";
    let db = house.db().await;
    file(&db).await;
    lamp.until("1/0 (0/0)").await.unwrap();
    until(&house, |list| list.contains("Nobody is told")).await;
    file(&db).await;
    assert!(lamp.within(Duration::from_secs(2)).await.unwrap().is_none());
    db.close().await;
}

#[tokio::test]
async fn one_phone_shows_several_mailboxes_and_one_mailbox_is_shown_by_several_phones() {
    let house = House::start(&settings(""));
    house.run(&["mailbox", "add", "2000", "--name", "Bob"]);
    let mut phones = vec![lamp(&house).await, lamp(&house).await];
    let mut other = Lamp::at("127.0.0.1:0", house.sip, "2000").await.unwrap();
    assert_eq!(status(&other.subscribe(Some(600)).await.unwrap()), 200);
    assert!(other.next().await.unwrap().text.contains("Message-Account: sip:2000@"));
    let db = house.db().await;
    file(&db).await;
    for phone in &mut phones {
        assert!(phone.until("1/0 (0/0)").await.unwrap().text.contains("sip:1000@"));
    }
    assert!(other.within(Duration::from_secs(1)).await.unwrap().is_none());
    db.close().await;
}

#[tokio::test]
async fn resync_tells_all_phones_of_the_mailbox_anew() {
    let house = House::start(&settings(""));
    let mut phones = vec![lamp(&house).await, lamp(&house).await];
    for phone in &mut phones {
        phone.until("0/0 (0/0)").await.unwrap();
    }
    let said = house.run(&["lamp", "resync", "--mailbox", "1000"]);
    assert!(said.starts_with("2 lamp(s)"), "{said}");
    for phone in &mut phones {
        phone.until("0/0 (0/0)").await.unwrap();
    }
    until(&house, |list| list.matches(" right ").count() == 2).await;
}

#[tokio::test]
async fn an_address_that_an_operator_names_is_told_unasked() {
    let mut house = House::start(&settings(""));
    let mut phone = Lamp::at("127.0.0.2:0", house.sip, "1000").await.unwrap();
    let address = format!("sip:1000@{}", phone.address());
    house.run(&["lamp", "add", "--mailbox", "1000", &address]);
    let first = phone.until("0/0 (0/0)").await.unwrap();
    assert_eq!(first.header("Subscription-State"), "active");
    assert_eq!(first.header("To"), format!("<{address}>"));
    let db = house.db().await;
    file(&db).await;
    phone.until("1/0 (0/0)").await.unwrap();
    house.kill();
    house.restart();
    phone.until("1/0 (0/0)").await.unwrap();
    let twice = house.refused(&["lamp", "add", "--mailbox", "1000", &address]);
    assert!(twice.contains("already"), "{twice}");
    house.run(&["lamp", "rm", "--mailbox", "1000", &address]);
    file(&db).await;
    assert!(phone.within(Duration::from_secs(2)).await.unwrap().is_none());
    let wrong = house.refused(&["lamp", "add", "--mailbox", "1000", "1000"]);
    assert!(wrong.contains("not an address"), "{wrong}");
    db.close().await;
}

#[tokio::test]
async fn a_mailbox_that_is_removed_ends_its_subscriptions() {
    let house = House::start(&settings(""));
    let mut lamp = lamp(&house).await;
    lamp.until("0/0 (0/0)").await.unwrap();
    house.run(&["mailbox", "rm", "1000"]);
    let last = lamp.next().await.unwrap();
    assert_eq!(last.header("Subscription-State"), "terminated;reason=noresource");
    assert!(!last.is_lit());
}

#[tokio::test]
async fn a_lamp_that_drifted_is_found_counted_and_mended() {
    let house = House::start(&settings("check = \"1s\""));
    let mut lamp = lamp(&house).await;
    let db = house.db().await;
    file(&db).await;
    lamp.until("1/0 (0/0)").await.unwrap();
    // Behind everybody's back.
    let options = sqlx::sqlite::SqliteConnectOptions::new();
    let pool = sqlx::SqlitePool::connect_with(options.filename(house.data().join("afterbeep.db")));
    let pool = pool.await.unwrap();
    sqlx::query("update message set folder = 'saved'").execute(&pool).await.unwrap();
    pool.close().await;
    lamp.until("0/1 (0/0)").await.unwrap();
    house.page("/metrics", "afterbeep_lamp_drift_total 1").await;
    house.page("/metrics", "afterbeep_lamps{kind=\"subscription\"} 1").await;
    db.close().await;
}

#[tokio::test]
async fn what_is_told_goes_the_way_that_proxies_recorded() {
    let house = House::start(&settings(""));
    let mut lamp = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    let mut proxy = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    let at = proxy.address();
    lamp.extra += &format!("Record-Route: <sip:{at};lr>\r\nRecord-Route: <sip:127.0.0.7:9;lr>\r\n");
    let answer = lamp.subscribe(Some(600)).await.unwrap();
    assert_eq!(status(&answer), 200);
    assert_eq!(answer.matches("\r\nRecord-Route: ").count(), 2, "{answer}");
    let told = proxy.until("0/0 (0/0)").await.unwrap();
    let routes: Vec<_> = told.text.lines().filter(|it| it.starts_with("Route: ")).collect();
    assert_eq!(routes, [format!("Route: <sip:{at};lr>"), "Route: <sip:127.0.0.7:9;lr>".to_owned()]);
    assert!(told.text.starts_with(&format!("NOTIFY sip:lamp@{} SIP/2.0\r\n", lamp.address())));
}

#[tokio::test]
async fn a_phone_on_tcp_is_told_on_its_own_connection() {
    let house = House::start(&settings(""));
    let mut stream = TcpStream::connect(house.sip).await.unwrap();
    let here = stream.local_addr().unwrap();
    let mut lamp = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
    lamp.contact = format!("sip:lamp@{here};transport=tcp");
    let request = lamp.request(Some(600), "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    while !text.contains("Voice-Message: 0/0 (0/0)\r\n") {
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(text.starts_with("SIP/2.0 200 OK\r\n"), "{text}");
    assert!(text.contains("NOTIFY sip:lamp@") && text.contains("Via: SIP/2.0/TCP "), "{text}");
}

/// Waits until `lamp list` is like this.
async fn until(house: &House, right: impl Fn(&str) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let list = house.run(&["lamp", "list"]);
        if right(&list) {
            return;
        }
        assert!(Instant::now() < until, "{list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
