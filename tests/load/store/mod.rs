//! What many messages cost: filing one more, looking at them, and starting.

pub mod fill;

use std::time::{Duration, Instant};

use afterbeep::clock::Clock;
use afterbeep::mailbox::{Folder, Mailbox};
use afterbeep::store::messages::{self, Filing, Page};
use afterbeep::store::{Db, tenants};
use sqlx::{Connection, Executor, PgConnection};

use crate::figures::{DEAF, Figure, Findings, Share};
use crate::house::House;
use crate::post::Post;

/// What filing or looking may take.
const QUICK: Duration = Duration::from_millis(20);
/// What a start may take.
const START: Duration = Duration::from_secs(5);
/// How long a start is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many messages, in SQLite or in this PostgreSQL database.
pub async fn figures(count: usize, url: Option<String>) -> Findings {
    let post = Post::open().await.unwrap();
    let store = url.as_ref().map(|it| format!("[store]\nurl = {it:?}\n")).unwrap_or_default();
    let mut house = House::start(&format!("{store}{DEAF}{}", post.settings()));
    house.kill();
    let db = house.db().await;
    let tenant = tenants::named(&db, "default").await.unwrap().unwrap().id;
    let began = Instant::now();
    let mailboxes = fill::fill(&db, &house.data().join("blobs"), &tenant, count).await;
    let mut findings = Findings::default();
    let (took, many) = (began.elapsed().as_secs(), mailboxes.len());
    findings.notes.push(format!("{count} messages in {many} mailboxes, put in within {took} s"));
    if let Some(url) = &url {
        // As PostgreSQL does by itself within a minute.
        PgConnection::connect(url).await.unwrap().execute("vacuum analyze").await.unwrap();
    }
    // What the server does beside its work is done here, too.
    let tenure = db.occupy().await.unwrap();
    let times = if count < 10_000 { 20 } else { 200 };
    findings.figures.extend(filings(&db, &mailboxes, times).await);
    findings.figures.extend(looks(&db, &mailboxes, times).await);
    drop(tenure);
    db.close().await;
    findings.figures.push(starts(&mut house, times / 40 + 1, &mut findings.wrongs).await);
    findings
}

/// Filing one message at a time: into any mailbox, and into the large one when it is full.
async fn filings(db: &Db, mailboxes: &[Mailbox], times: usize) -> [Figure; 2] {
    let (mut any, mut full) = (Vec::new(), Vec::new());
    let lying = lying(db, &mailboxes[0]).await;
    for nth in 0..times {
        let mailbox = &mailboxes[1 + nth % (mailboxes.len() - 1)];
        any.push(file(db, fill::filing(&mailbox.id, Clock::Real.now())).await);
        let filing = fill::filing(&mailboxes[0].id, Clock::Real.now());
        full.push(file(db, Filing { limit: lying, ..filing }).await);
    }
    [figure("filing a message", any), figure("filing into the large one, full", full)]
}

async fn file(db: &Db, filing: Filing) -> Duration {
    let began = Instant::now();
    messages::file(db, &[filing], Clock::Real.now()).await.unwrap();
    began.elapsed()
}

async fn lying(db: &Db, mailbox: &Mailbox) -> usize {
    let new = messages::count(db, &mailbox.id, Folder::New).await.unwrap();
    let saved = messages::count(db, &mailbox.id, Folder::Saved).await.unwrap();
    usize::try_from(new + saved).unwrap()
}

/// Lists and counts.
async fn looks(db: &Db, mailboxes: &[Mailbox], times: usize) -> Vec<Figure> {
    let large = &mailboxes[0];
    let oldest = oldest(db, large).await;
    let (first, all) = (Page::first(50), Page::first(Page::LONGEST));
    let last = Page { before: oldest, most: 50 };
    let mut any = Vec::new();
    for nth in 0..times {
        any.push(list(db, &mailboxes[nth % mailboxes.len()], None, first).await);
    }
    let mut figures = vec![figure("list: newest 50 of any mailbox", any)];
    for (what, folder, page) in [
        ("list: newest 50 of the large one", None, first),
        ("list: last 50 of the large one", None, last),
        ("list: newest 500 of the large one", None, all),
        ("list: newest 50 of its trash", Some(Folder::Deleted), first),
    ] {
        let mut took = Vec::new();
        for _ in 0..times {
            took.push(list(db, large, folder, page).await);
        }
        figures.push(figure(what, took));
    }
    let (mut counts, mut doors) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let began = Instant::now();
        messages::count(db, &large.id, Folder::New).await.unwrap();
        counts.push(began.elapsed());
        let began = Instant::now();
        messages::door(db, large).await.unwrap();
        doors.push(began.elapsed());
    }
    figures.push(figure("count of the large one", counts));
    figures.push(figure("whether it takes a caller", doors));
    figures
}

async fn list(db: &Db, mailbox: &Mailbox, folder: Option<Folder>, page: Page) -> Duration {
    let began = Instant::now();
    let found = messages::list(db, &mailbox.id, folder, page).await.unwrap();
    assert!(!found.is_empty());
    began.elapsed()
}

/// Where the last page of a mailbox begins.
async fn oldest(
    db: &Db,
    mailbox: &Mailbox,
) -> Option<(afterbeep::mailbox::Timestamp, afterbeep::mailbox::MessageId)> {
    let (mut page, mut places) = (Page::first(Page::LONGEST), Vec::new());
    loop {
        let some = messages::list(db, &mailbox.id, None, page).await.unwrap();
        let Some(last) = some.last() else { break };
        page.before = Some((last.envelope.received, last.id));
        places.extend(some.iter().map(|it| (it.envelope.received, it.id)));
    }
    places.len().checked_sub(51).map(|at| places[at])
}

/// From starting the program, after a kill, until it says that it takes calls.
async fn starts(house: &mut House, times: usize, wrongs: &mut Vec<String>) -> Figure {
    let mut took = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        house.restart();
        while house.get("/readyz").await.0 != 200 {
            if began.elapsed() > PATIENCE {
                wrongs.push("the server did not become ready".into());
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.push(began.elapsed());
        house.kill();
    }
    Figure { what: "start to ready", took, promises: vec![(Share::All, START)] }
}

fn figure(what: &'static str, took: Vec<Duration>) -> Figure {
    Figure { what, took, promises: vec![(Share::Most, QUICK)] }
}
