//! Lamps: thousands of subscriptions, how soon they show a message, and what a restart costs.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterbeep::clock::Clock;
use afterbeep::mailbox::MailboxId;
use afterbeep::store::messages::{self, Filing};
use afterbeep::store::{Db, mailboxes, tenants};
use tokio::net::UdpSocket;
use tokio::time::interval;

use crate::figures::{DEAF, Figure, Findings, Share};
use crate::house::House;
use crate::phone::{header, ok_to, status};
use crate::store::fill;

/// As in the settings when nobody says otherwise.
const RATE: usize = 250;
/// Phones of each mailbox.
const EACH: usize = 10;
/// SUBSCRIBEs sent in a second.
const ASKED: u64 = 200;
/// How soon every lamp has to be right after a restart.
const RIGHT: Duration = Duration::from_secs(60);

/// What all the phones show. They share an address, as those behind a phone system do.
#[derive(Default)]
struct Board {
    answered: HashSet<usize>,
    shown: HashMap<usize, (String, Instant)>,
    /// When something was told.
    told: Vec<Instant>,
    wrongs: Vec<String>,
}

struct Phones {
    socket: Arc<UdpSocket>,
    board: Arc<Mutex<Board>>,
    server: SocketAddr,
}

/// So many subscriptions.
pub async fn figures(count: usize) -> Findings {
    let (lamps, times) = (format!("[sip.lamp]\nmost = {count}\n"), count.min(2_000) / 20);
    let mut house =
        House::start(&format!("[sip]\nidentity_from = [\"127.0.0.0/8\"]\n{lamps}{DEAF}"));
    let db = house.db().await;
    let mailboxes = furnish(&db, count / EACH).await;
    let phones = Phones::new(house.sip).await;
    let mut findings = Findings::default();

    let began = Instant::now();
    phones.subscribe(count).await;
    phones.until(count, |_, voice| voice == "0/0 (0/0)").await;
    let took = began.elapsed().as_secs_f64();
    findings.notes.push(format!("{count} phones subscribed, and showed 0/0, within {took:.1} s"));

    let mut soon = Vec::new();
    for nth in 0..times {
        soon.extend(phones.see(&db, &mailboxes, nth).await);
        // Not in step with the server's looks.
        tokio::time::sleep(Duration::from_millis(37 * (nth as u64 % 20))).await;
    }
    let promises = vec![(Share::Nearly, Duration::from_secs(1))];
    findings.figures.push(Figure { what: "filed elsewhere to lamp", took: soon, promises });

    house.kill();
    for mailbox in mailboxes.iter().take(times) {
        file(&db, mailbox).await;
    }
    phones.board().told.clear();
    let began = Instant::now();
    house.restart();
    let ready = began.elapsed().as_secs_f64();
    let wanted =
        |at: usize, voice: &str| voice == if at / EACH < times { "2/0 (0/0)" } else { "0/0 (0/0)" };
    phones.until_told(count, wanted, began).await;
    let took = began.elapsed();
    let most = phones.most_in_a_second();
    findings.notes.push(format!(
        "after a restart (ready after {ready:.1} s) all were right within {:.1} s, {most} told in \
         the busiest second",
        took.as_secs_f64()
    ));
    findings.wrongs.append(&mut phones.board().wrongs);
    if took > RIGHT {
        findings.wrongs.push(format!("not every lamp was right within {RIGHT:?}"));
    }
    if most > RATE {
        findings.wrongs.push(format!("{most} were told in one second, not {RATE}"));
    }
    db.close().await;
    findings
}

async fn furnish(db: &Db, count: usize) -> Vec<MailboxId> {
    let tenant = tenants::named(db, "default").await.unwrap().unwrap().id;
    let mut all = Vec::with_capacity(count);
    for nth in 0..count {
        let id = MailboxId(Clock::Real.message_id().to_string());
        let (number, entry) = (number(nth * EACH), mailboxes::Entry::default());
        mailboxes::add(db, &tenant, &id, &number, &entry, Clock::Real.now()).await.unwrap();
        all.push(id);
    }
    all
}

async fn file(db: &Db, mailbox: &MailboxId) {
    let filing = fill::filing(mailbox, Clock::Real.now());
    let filing = Filing { recipients: Vec::new(), transcribe: false, ..filing };
    messages::file(db, &[filing], Clock::Real.now()).await.unwrap();
}

/// The mailbox a phone shows.
fn number(phone: usize) -> String {
    format!("8{:05}", phone / EACH)
}

impl Phones {
    async fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20).unwrap();
        let (socket, board) = (Arc::new(socket), Arc::default());
        tokio::spawn(hear(Arc::clone(&socket), Arc::clone(&board)));
        Self { socket, board, server }
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap()
    }

    /// All of them subscribe; who gets no answer asks again.
    async fn subscribe(&self, count: usize) {
        let mut ticks = interval(Duration::from_micros(1_000_000 / ASKED));
        for round in 0..10 {
            for phone in 0..count {
                if !self.board().answered.contains(&phone) {
                    ticks.tick().await;
                    self.ask(phone).await;
                }
            }
            if round > 0 && self.board().answered.len() == count {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn ask(&self, phone: usize) {
        let (here, server, number) =
            (self.socket.local_addr().unwrap(), self.server, number(phone));
        // A copy of what was sent before, so nobody subscribes twice.
        let text = format!(
            "SUBSCRIBE sip:{number}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKp{phone}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{number}@{here}>;tag=p{phone}\r\n\
             To: <sip:{number}@{server}>\r\nCall-ID: {phone}@phones\r\nCSeq: 1 SUBSCRIBE\r\n\
             Contact: <sip:p{phone}@{here}>\r\nEvent: message-summary\r\nExpires: 3600\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.socket.send_to(text.as_bytes(), self.server).await.unwrap();
    }

    /// Somebody files a message into a mailbox; how long until each of its phones shows it.
    async fn see(&self, db: &Db, mailboxes: &[MailboxId], nth: usize) -> Vec<Duration> {
        let before = Instant::now();
        file(db, &mailboxes[nth]).await;
        let filed = Instant::now();
        let phones = nth * EACH..(nth + 1) * EACH;
        let all = |board: &Board| {
            let shows = |phone| board.shown.get(&phone).filter(|it| it.0 == "1/0 (0/0)");
            phones.clone().map(|it| shows(it).map(|it| it.1)).collect::<Option<Vec<_>>>()
        };
        while filed.elapsed() < Duration::from_secs(20) {
            let seen = all(&self.board());
            if let Some(seen) = seen {
                return seen.into_iter().map(|it| it.saturating_duration_since(filed)).collect();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.board().wrongs.push("a lamp never showed a message".to_owned());
        vec![before.elapsed()]
    }

    /// Waits until all show this.
    async fn until(&self, count: usize, right: impl Fn(usize, &str) -> bool) {
        self.until_told(count, right, Instant::now() - Duration::from_secs(3_600)).await;
    }

    /// Waits until all were told this since then.
    async fn until_told(&self, count: usize, right: impl Fn(usize, &str) -> bool, since: Instant) {
        let began = Instant::now();
        while began.elapsed() < RIGHT * 3 {
            let lamps = (0..count).filter(|phone| {
                let board = self.board();
                board.shown.get(phone).is_some_and(|it| right(*phone, &it.0) && it.1 >= since)
            });
            if lamps.count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.board().wrongs.push("some lamps never showed what they should".to_owned());
    }

    fn most_in_a_second(&self) -> usize {
        let told = self.board().told.clone();
        let within = |at: usize| {
            told[at..].iter().take_while(|it| **it < told[at] + Duration::from_secs(1)).count()
        };
        (0..told.len()).map(within).max().unwrap_or_default()
    }
}

/// Answers what comes, and shows it.
async fn hear(socket: Arc<UdpSocket>, board: Arc<Mutex<Board>>) {
    let (mut buffer, mut known) = ([0; 4_096], HashMap::new());
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let call = header(&text, "Call-ID").and_then(|it| it.split('@').next()?.parse().ok());
        let Some(phone) = call else { continue };
        let now = Instant::now();
        if !text.starts_with("NOTIFY ") {
            let mut board = board.lock().unwrap();
            match status(&text) {
                200 => drop(board.answered.insert(phone)),
                other => board.wrongs.push(format!("SUBSCRIBE was answered {other}")),
            }
            continue;
        }
        socket.send_to(ok_to(&text).as_bytes(), from).await.ok();
        // A copy is not told again.
        let sequence = header(&text, "CSeq").unwrap_or_default().to_owned();
        if known.insert(phone, sequence.clone()) == Some(sequence) {
            continue;
        }
        let voice = text.lines().find_map(|it| it.strip_prefix("Voice-Message: "));
        let mut board = board.lock().unwrap();
        board.told.push(now);
        board.shown.insert(phone, (voice.unwrap_or_default().to_owned(), now));
    }
}
