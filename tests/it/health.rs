//! What a real server tells of itself: its figures, and whether it is ready.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, SqliteConnection};

use crate::call::words;
use crate::house::{House, PATIENCE};
use crate::phone::Phone;

const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

#[tokio::test]
async fn the_figures_follow_a_call_from_its_answer_to_its_mail() {
    let house = House::start(DEAF);
    let page = house.page("/metrics", "afterbeep_calls_total 0").await;
    for name in ["afterbeep_messages_total", "afterbeep_filing_failures_total"] {
        assert_eq!(figure(&page, name), 0.0, "{name}");
    }
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    call.speak(&words(2)).await.unwrap();
    let page = house.page("/metrics", "afterbeep_calls 1").await;
    assert_eq!(figure(&page, "afterbeep_sip_calls"), 1.0);
    assert_eq!(figure(&page, "afterbeep_rtp_legs"), 1.0);
    assert_eq!(figure(&page, "afterbeep_spool_recording"), 1.0);
    call.hang_up().await.unwrap();

    house.messages(1).await;
    let page = house.page("/metrics", "afterbeep_mails_total{state=\"accepted\"} 1").await;
    let page = match figure(&page, "afterbeep_calls") {
        0.0 => page,
        _ => house.page("/metrics", "afterbeep_calls 0").await,
    };
    assert_eq!(figure(&page, "afterbeep_calls_total"), 1.0);
    assert_eq!(figure(&page, "afterbeep_messages_total"), 1.0);
    assert_eq!(figure(&page, "afterbeep_sip_calls_total{outcome=\"answered\"}"), 1.0);
    assert!(figure(&page, "afterbeep_rtp_packets_total{way=\"in\"}") >= 100.0);
    assert!(figure(&page, "afterbeep_rtp_packets_total{way=\"out\"}") >= 20.0);
    assert!(figure(&page, "afterbeep_spool_written_bytes_total") >= 16_000.0);
    assert!(figure(&page, "afterbeep_spool_syncs_total") >= 1.0);
    assert!(figure(&page, "afterbeep_spool_free_bytes") > 1e6);
    for name in ["afterbeep_rtp_late_ticks_total", "afterbeep_spool_failures_total"] {
        assert!(figure(&page, name) >= 0.0, "{name}");
    }
    // No model: the transcript is still to be made.
    house.page("/metrics", "afterbeep_jobs{kind=\"transcribe\",state=\"queued\"} 1").await;
    let told: Vec<_> = page.lines().filter(|it| it.starts_with("# TYPE ")).collect();
    for line in told {
        let name = line.split(' ').nth(2).unwrap();
        assert!(name.starts_with("afterbeep_"), "{name}");
        assert!(page.contains(&format!("# HELP {name} ")), "{name} is not explained");
    }
}

#[tokio::test]
async fn a_server_whose_database_cannot_be_written_is_not_ready_until_it_can() {
    let house = House::start(DEAF);
    assert_eq!(house.get("/readyz").await, (200, "{\"ready\":true,\"reasons\":[]}".into()));
    let file = house.data().join("afterbeep.db");
    let mut other = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    other.execute("begin immediate").await.unwrap();
    let told = until(&house, 503).await;
    assert!(told.contains("The database cannot be written; messages wait in the spool."), "{told}");
    other.execute("rollback").await.unwrap();
    until(&house, 200).await;
}

#[tokio::test]
async fn a_server_whose_disk_is_full_is_not_ready_and_says_how_much_is_left() {
    let house = House::start(&format!("disk_reserve_mib = 1000000000\n{DEAF}"));
    let told = until(&house, 503).await;
    assert!(told.contains("The disk is too full for new messages: "), "{told}");
    assert!(told.contains("1000000000 MiB are kept in reserve."), "{told}");
}

#[tokio::test]
async fn a_server_that_is_stopping_is_not_ready() {
    let mut house = House::start(DEAF);
    let mut call = Phone::new().await.unwrap().call(house.sip, "1000").await.unwrap().unwrap();
    call.skip_to_beep().await.unwrap();
    house.terminate();
    let told = until(&house, 503).await;
    assert!(told.contains("The server is stopping; new calls are refused."), "{told}");
    call.speak(&words(2)).await.unwrap();
    call.hang_up().await.unwrap();
    assert!(house.ended(PATIENCE), "it did not end as it should");
}

/// The value of a figure, with its labels as they are written there.
#[track_caller]
fn figure(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is missing:\n{page}")).parse().unwrap()
}

/// What `/readyz` says once it has this status.
async fn until(house: &House, status: u16) -> String {
    let gives_up = Instant::now() + PATIENCE;
    loop {
        let (found, text) = house.get("/readyz").await;
        if found == status {
            return text;
        }
        assert!(Instant::now() < gives_up, "{found} and never {status}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
