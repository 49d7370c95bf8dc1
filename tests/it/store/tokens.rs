//! Tokens: kept by their fingerprints, good until they are not.

use afterbeep::{
    mailbox::TenantId,
    store::{
        tenants,
        tokens::{self, Scope, Token},
    },
};

use super::house::{LEASE, NOW, house};

fn token(id: &str, tenant: Option<&TenantId>) -> Token {
    Token {
        id: id.into(),
        tenant: tenant.cloned(),
        name: "crm".into(),
        scopes: [Scope::Jobs, Scope::MessagesRead].into(),
        expires: Some(NOW + LEASE),
        used: None,
        revoked: None,
    }
}

#[tokio::test]
async fn a_token_is_good_until_it_ends_or_is_taken_back() {
    let house = house().await;
    let db = &house.db;
    let (one, other) = (token("1", None), Token { expires: None, ..token("2", None) });
    tokens::add(db, &one, "first", NOW).await.unwrap();
    tokens::add(db, &other, "second", NOW).await.unwrap();
    assert!(
        tokens::add(db, &token("3", None), "first", NOW).await.is_err(),
        "one print, one token"
    );
    assert_eq!(tokens::good(db, "first", NOW).await.unwrap(), Some(one));
    assert_eq!(tokens::good(db, "third", NOW).await.unwrap(), None);
    assert_eq!(tokens::good(db, "first", NOW + LEASE).await.unwrap(), None, "it has ended");
    assert!(tokens::good(db, "second", NOW + LEASE).await.unwrap().is_some());
    assert!(tokens::revoke(db, "2", NOW).await.unwrap());
    assert!(!tokens::revoke(db, "2", NOW).await.unwrap());
    assert_eq!(tokens::good(db, "second", NOW).await.unwrap(), None, "it was taken back");
    let listed = tokens::list(db).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.revoked).collect::<Vec<_>>(), [None, Some(NOW)]);
}

#[tokio::test]
async fn the_tokens_of_a_tenant_go_with_it() {
    let house = house().await;
    let db = &house.db;
    let tenant = house.tenant("acme", None).await;
    tokens::add(db, &token("1", Some(&tenant)), "first", NOW).await.unwrap();
    tokens::add(db, &token("2", None), "second", NOW).await.unwrap();
    assert!(tenants::remove(db, &tenant).await.unwrap());
    let left = tokens::list(db).await.unwrap();
    assert_eq!(left.into_iter().map(|it| it.id).collect::<Vec<_>>(), ["2"]);
}

#[tokio::test]
async fn a_use_is_noted_once_in_a_while() {
    let house = house().await;
    let db = &house.db;
    tokens::add(db, &token("1", None), "print", NOW).await.unwrap();
    let noted = async || tokens::good(db, "print", NOW).await.unwrap().unwrap();
    tokens::note_use(db, &noted().await, NOW).await.unwrap();
    assert_eq!(noted().await.used, Some(NOW));
    let soon = NOW + tokens::PRECISION / 2;
    tokens::note_use(db, &noted().await, soon).await.unwrap();
    assert_eq!(noted().await.used, Some(NOW));
    let later = NOW + tokens::PRECISION;
    tokens::note_use(db, &noted().await, later).await.unwrap();
    assert_eq!(noted().await.used, Some(later));
}
