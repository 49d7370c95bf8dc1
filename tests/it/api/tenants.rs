//! Tenants and their users.

use serde_json::json;

use super::{Stand, all};

#[tokio::test]
async fn a_tenant_is_added_changed_listed_and_removed() {
    let stand = Stand::new().await;
    let platform = stand.platform().await;
    let new = json!({ "name": "beta", "sip_domain": "Voice.Beta.example",
                      "settings": { "limit": 20, "pages": "fr" } });
    let added = platform.post("/tenants", new.clone()).await.is(201);
    let place = added.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(added.json()["sip_domain"], "voice.beta.example");
    platform.post("/tenants", new).await.refused(409, "taken");
    let names = all(&platform, "/tenants", 1, "name").await;
    assert_eq!(names, ["acme", "beta", "zeta"]);

    let patch = json!({ "sip_domain": null, "settings": { "limit": null, "hours": "12" } });
    platform.patch(&place, patch).await.is(200);
    let shown = platform.get(&place).await.is(200).json();
    assert_eq!(shown["sip_domain"], json!(null));
    assert_eq!(shown["settings"], json!({ "pages": "fr", "hours": "12" }));
    let effective = platform.get(&format!("{place}/effective-settings")).await.is(200).json();
    assert_eq!(effective["pages"], json!({ "value": "fr", "from": "tenant" }));
    assert_eq!(effective["limit"], json!({ "value": 100, "from": "default" }));

    let mailbox = platform.post("/mailboxes?tenant=beta", json!({ "number": "1" })).await.is(201);
    platform.delete(&place).await.refused(409, "in_use");
    platform.delete(&format!("/mailboxes/{}?tenant=beta", mailbox.id())).await.is(204);
    platform.delete(&place).await.is(204);
    platform.get(&place).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_user_is_added_changed_listed_and_removed() {
    let stand = Stand::new().await;
    let client = stand.of("acme").await;
    let added = client.post("/users", json!({ "email": "ann@acme.example" })).await.is(201);
    assert_eq!(added.json()["name"], "ann", "as the verb has it");
    let place = added.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let bob = json!({ "email": "bob@acme.example", "name": "Bob" });
    client.post("/users", bob.clone()).await.is(201);
    client.post("/users", bob).await.refused(409, "taken");
    client.patch(&place, json!({ "email": "bob@acme.example" })).await.refused(409, "taken");
    client.patch(&place, json!({ "name": null })).await.refused(422, "invalid");
    client.patch(&place, json!({ "name": "Ann", "email": "a@acme.example" })).await.is(200);
    assert_eq!(client.get(&place).await.is(200).json()["email"], "a@acme.example");
    let emails = all(&client, "/users", 1, "email").await;
    assert_eq!(emails, ["a@acme.example", "bob@acme.example"]);

    let owned = json!({ "number": "1000", "owner": added.id() });
    let mailbox = client.post("/mailboxes", owned).await.is(201);
    assert_eq!(mailbox.json()["name"], "Ann", "as the verb has it");
    client.delete(&place).await.is(204);
    client.delete(&place).await.refused(404, "not_found");
    let path = format!("/mailboxes/{}", mailbox.id());
    assert_eq!(client.get(&path).await.json()["owner"], json!(null));
}
