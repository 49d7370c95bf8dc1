//! The database itself: opened, locked, closed, and asked whether it knows every statement.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use afterbeep::{
    mailbox::Folder,
    store::{
        Db, StoreError,
        jobs::{self},
        mailboxes::{self},
        messages::{self, Filed},
        transcripts,
    },
};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::house::{NOW, house, house_with_mailbox, raw, transcript};

#[tokio::test]
async fn the_file_is_private_and_can_be_opened_again_and_again() {
    let house = house().await;
    let path = house.dir.path().join("data/afterbeep.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
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
