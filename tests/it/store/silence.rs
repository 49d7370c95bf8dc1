//! The way to PostgreSQL is cut without a word: nothing arrives any more, and nobody is told.

use std::path::PathBuf;

use afterbeep::store::{
    StoreError,
    jobs::{self, Kind},
    messages,
};
use futures::future::join_all;
use sqlx::{Connection, Executor, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
    time::{Duration, pause, resume, sleep, timeout},
};

use super::house::{House, LEASE, NOW};
use crate::{house::PATIENCE, postgres};

/// A wire to the cluster.
struct Wire {
    /// Its database through the wire, and past it.
    url: String,
    direct: String,
    cuts: watch::Sender<u32>,
}

impl Wire {
    async fn new() -> Self {
        let direct = postgres::database().await;
        let (place, query) = direct.split_once('?').unwrap();
        let folder = query.strip_prefix("host=").unwrap().split('&').next().unwrap();
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let name = place.rsplit('/').next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("postgres://afterbeep@{address}/{name}?sslmode=disable");
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&socket).await.unwrap();
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near.0, far.1, cut.clone()));
                tokio::spawn(pass(far.0, near.1, cut.clone()));
            }
        });
        Self { url, direct, cuts }
    }

    /// What is connected now hears nothing any more, for ever; new connections are as before.
    fn cut(&self) {
        self.cuts.send_modify(|it| *it += 1);
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut cut: watch::Receiver<u32>,
) {
    cut.mark_unchanged();
    let passing = async {
        let mut bytes = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if to.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = passing => {}
        // Both ends stay open: that is what silence is.
        _ = cut.changed() => std::future::pending().await,
    }
}

#[tokio::test]
async fn nobody_waits_for_ever_on_a_connection_that_fell_silent() {
    let wire = Wire::new().await;
    let house = House::at(wire.url.clone()).await;
    let tenant = house.tenant("default", None).await;
    let mailbox = house.mailbox(&tenant, "1000").await;
    let filing = house.filing(&mailbox);
    let filings = std::slice::from_ref(&filing);
    messages::file(&house.db, filings, NOW).await.unwrap();
    let job = jobs::claim(&house.db, Kind::Transcribe, NOW, LEASE).await.unwrap().unwrap();

    // Every connection there may be is in the middle of a statement when it happens.
    let mut lock = PgConnection::connect(&wire.direct).await.unwrap();
    lock.execute("begin; lock table job").await.unwrap();
    let claiming = (0..12).map(|_| jobs::claim(&house.db, Kind::Notify, NOW, LEASE));
    let claiming = join_all(claiming);
    let cutting = async {
        let waiting = "select count(*) from pg_locks
                        where not granted and relation = 'job'::regclass";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut lock).await.unwrap() < 12 {
            sleep(Duration::from_millis(20)).await;
        }
        wire.cut();
        // Nothing can come: from here on the clock leaps to whatever is waited for.
        pause();
    };
    for claimed in tokio::join!(claiming, cutting).0 {
        let error = claimed.unwrap_err();
        assert!(matches!(error, StoreError::Silent(_)), "{error:?}");
        assert!(error.is_temporary());
    }
    // What was given up gives its place back.
    sleep(Duration::from_secs(10)).await;
    resume();
    lock.execute("rollback").await.unwrap();

    let again = timeout(
        PATIENCE,
        join_all((0..12).map(|_| async { jobs::renew(&house.db, &job, NOW + LEASE).await })),
    );
    for renewed in again.await.unwrap() {
        assert!(renewed.unwrap(), "the lease is still ours");
    }
    let mails = jobs::claim(&house.db, Kind::Notify, NOW + LEASE, LEASE).await.unwrap();
    assert_eq!(mails.map(|it| it.subject), Some(filing.id));
}
