//! What both engines must do alike, whatever lies in the tables.

use std::{fs, path::Path};

use afterbeep::store::{StoreError, jobs, mailboxes, messages, transcripts};

use super::{
    ENGINE,
    house::{NOW, house, house_with_mailbox, transcript},
};
use crate::store::Engine;

#[tokio::test]
async fn every_statement_in_the_sources_is_understood() {
    let house = house().await;
    let mut statements = Vec::new();
    collect(Path::new("src/store"), &mut statements);
    assert!(statements.len() > 40, "only {} statements found", statements.len());
    for statement in statements {
        if let Err(error) = house.understands(&statement).await {
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

    let db = house.again().await;
    assert_eq!(jobs::list(&db).await.unwrap(), jobs);
    assert_eq!(messages::for_job(&db, &filing.id).await.unwrap(), found);
    assert_eq!(transcripts::of(&db, &filing.id).await.unwrap(), Some(transcript()));
    assert_eq!(mailboxes::at(&db, &mailbox.tenant, "1000").await.unwrap(), Some(mailbox));
}

#[tokio::test]
async fn one_server_uses_a_database_at_a_time() {
    let house = house().await;
    let first = house.db.occupy().await.unwrap();
    let other = house.again().await;
    let refused = other.occupy().await.unwrap_err();
    assert!(matches!(refused, StoreError::Occupied { .. }), "{refused:?}");
    assert!(refused.to_string().ends_with("is in use by another server"), "{refused}");
    drop(first);
    // The connection that held it ends a moment later.
    let until = tokio::time::Instant::now() + crate::house::PATIENCE;
    while let Err(error) = other.occupy().await {
        assert!(tokio::time::Instant::now() < until, "{error}");
        tokio::task::yield_now().await;
    }
}

/// Every string literal that is a statement of this engine.
fn collect(dir: &Path, into: &mut Vec<String>) {
    let others = match ENGINE {
        Engine::Sqlite => ["postgres", "tenure"].as_slice(),
        Engine::Postgres => &["sqlite"],
    };
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if !others.contains(&path.file_stem().unwrap().to_str().unwrap()) {
            let text = fs::read_to_string(&path).unwrap();
            let verbs = ["select ", "insert into ", "update ", "delete from ", "pragma "];
            let literals = text.split('"').skip(1).step_by(2);
            let statements = literals.filter(|it| verbs.iter().any(|verb| it.starts_with(verb)));
            // Those with gaps are put together in `rows`.
            into.extend(statements.filter(|it| !it.contains('{')).map(str::to_owned));
        }
    }
}
