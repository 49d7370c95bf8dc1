//! A PostgreSQL server that is set up wrongly, starts, stops, or is not there.

use std::time::Duration;

use afterbeep::{
    mailbox::Folder,
    store::{
        Db, Settings, StoreError,
        messages::{self, Filed},
    },
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::house::{House, NOW, house, house_with_mailbox};
use crate::{house::PATIENCE, postgres, postgres::Cluster};

#[tokio::test]
async fn a_database_that_would_lose_messages_is_refused() {
    let house = house().await;
    let url = house.settings.url.as_deref().unwrap();
    let name = url.split(['/', '?']).nth(3).unwrap();
    // Said in another database, so that what is set there does not stand in the way.
    let mut outside =
        PgConnection::connect(&url.replace(&format!("/{name}?"), "/postgres?")).await.unwrap();
    for (setting, value) in [("synchronous_commit", "off"), ("default_transaction_read_only", "on")]
    {
        let set = format!("alter database {name} set {setting} = {value}");
        outside.execute(AssertSqlSafe(set)).await.unwrap();
        let refused = house.try_again().await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsafe { .. }), "{refused:?}");
        assert!(refused.to_string().contains("must be o"), "{refused}");
        assert!(!refused.is_temporary());
        let reset = format!("alter database {name} reset {setting}");
        outside.execute(AssertSqlSafe(reset)).await.unwrap();
    }
    house.again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_open_a_new_database_at_once_all_get_it() {
    let settings = Settings { url: Some(postgres::database().await), password_file: None };
    let opening = (0..8).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move {
            let db = Db::connect(&settings, "/nowhere".as_ref()).await?;
            db.ping().await
        })
    });
    for opened in futures::future::join_all(opening).await {
        opened.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let house = house().await;
    house
        .sql(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (99999, 'from the future', true, '\\x00', 0)",
        )
        .await;
    assert!(matches!(house.try_again().await, Err(StoreError::Migrate(_))));
}

#[tokio::test]
async fn connections_that_were_ended_are_made_again() {
    let (house, mailbox) = house_with_mailbox().await;
    house
        .sql(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    let filed = messages::file(&house.db, &[house.filing(&mailbox)], NOW).await.unwrap();
    assert_eq!(filed, [Filed::New]);
}

#[tokio::test]
async fn while_the_server_is_away_nothing_is_refused_for_good() {
    let mut cluster = Cluster::start();
    let house = House::at(cluster.database().await).await;
    let tenant = house.tenant("default", None).await;
    let mailbox = house.mailbox(&tenant, "1000").await;
    let tenure = house.db.occupy().await.unwrap();
    for how in ["QUIT", "INT"] {
        cluster.stop(how);
        let filing = house.filing(&mailbox);
        let error =
            messages::file(&house.db, std::slice::from_ref(&filing), NOW).await.unwrap_err();
        assert!(error.is_temporary(), "{error:?}");
        let error = house.try_again().await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        cluster.begin();
        let filed = messages::file(&house.db, &[filing], NOW).await.unwrap();
        assert_eq!(filed, [Filed::New]);
    }
    assert_eq!(messages::count(&house.db, &mailbox.id, Folder::New).await.unwrap(), 2);

    // Another server was quicker to take the place: the first is told so.
    let other = house.again().await;
    let quicker = async {
        while other.occupy().await.map(std::mem::forget).is_err() {
            cluster.stop("QUIT");
            cluster.begin();
        }
    };
    tokio::time::timeout(PATIENCE, quicker).await.unwrap();
    tokio::time::timeout(PATIENCE, tenure.lost()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stays_keeps_its_place_over_a_restart_of_the_database() {
    let mut cluster = Cluster::start();
    let house = House::at(cluster.database().await).await;
    let tenure = house.db.occupy().await.unwrap();
    cluster.stop("QUIT");
    cluster.begin();
    let holder = "select count(*) from pg_locks where locktype = 'advisory' and granted";
    let held = async {
        while house.number(holder).await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.unwrap();
    assert!(house.again().await.occupy().await.is_err());
    assert!(tokio::time::timeout(Duration::ZERO, tenure.lost()).await.is_err());
}

#[tokio::test]
async fn the_password_comes_from_a_file_and_is_told_to_nobody() {
    let cluster = Cluster::guarded();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let settings =
        Settings { url: Some(cluster.url("postgres")), password_file: Some(file.clone()) };
    let connect = async || Db::connect(&settings, "/nowhere".as_ref()).await;
    let missing = connect().await.unwrap_err();
    assert!(matches!(missing, StoreError::Password { .. }), "{missing:?}");
    std::fs::write(&file, "wrong-word\n").unwrap();
    let refused = connect().await.unwrap_err();
    assert!(!refused.is_temporary(), "{refused:?}");
    assert!(!format!("{refused:?}").contains("wrong-word"), "{refused:?}");
    std::fs::write(&file, "secret\n").unwrap();
    let db = connect().await.unwrap();
    db.ping().await.unwrap();
    assert!(!db.place().contains("secret"));
    assert!(!format!("{db:?}").contains("secret"), "{db:?}");
}

#[tokio::test]
async fn over_tls_only_the_right_server_is_talked_to() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/store");
    let (certificate, key) = (beside.join("certificate.pem"), beside.join("key.pem"));
    let cluster = Cluster::protected(&certificate, &key);
    let url = cluster.protected_url("postgres", &certificate);
    let house = House::at(url.clone()).await;
    let protected = "select count(*) from pg_stat_ssl where ssl and pid = pg_backend_pid()";
    assert_eq!(house.number(protected).await, 1);
    // Its name is not in the certificate, or nobody vouches for it.
    let elsewhere = url.replace("@localhost:", "@127.0.0.1:");
    let stranger = url.split("&sslrootcert").next().unwrap().to_owned();
    for wrong in [elsewhere, stranger] {
        let settings = Settings { url: Some(wrong.clone()), password_file: None };
        let refused = Db::connect(&settings, "/nowhere".as_ref()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Connect { .. }), "{wrong}: {refused:?}");
    }
}

#[test]
fn an_address_that_cannot_be_right_is_refused_with_a_reason() {
    let wrong = [
        ("mysql://a@b/c", "must begin with postgres://"),
        ("postgres://a:secret@b/c", "put the password into a file"),
        ("postgres://a@b/c?password=secret", "put the password into a file"),
        ("postgres://a@b", "the name of the database is missing"),
        ("postgres://a@b/c?sslmode=sometimes", "\"sometimes\""),
    ];
    for (url, why) in wrong {
        let settings = Settings { url: Some(url.into()), password_file: None };
        let said = settings.check().unwrap_err();
        assert!(said.contains(why), "{url}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}
