//! The SQLite file: opened, locked, closed.

use std::{fs, os::unix::fs::PermissionsExt};

use afterbeep::{
    mailbox::Folder,
    store::{
        Db, StoreError,
        messages::{self, Filed},
    },
};
use sqlx::Executor;

use super::house::{NOW, house, house_with_mailbox, raw};

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
