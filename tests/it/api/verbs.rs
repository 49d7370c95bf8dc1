//! `afterbeep token`, as an operator types it.

use afterbeep::cli::token;
use clap::Parser;

use super::{Client, Stand};

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    verb: token::Command,
}

impl Stand {
    async fn types(&self, line: &str) -> anyhow::Result<String> {
        let line = Line::try_parse_from(std::iter::once("token").chain(line.split(' ')))?;
        let mut out = Vec::new();
        token::run(line.verb, &self.db, &self.clock, &mut out).await?;
        Ok(String::from_utf8(out)?)
    }
}

#[tokio::test]
async fn a_token_is_made_shown_once_listed_and_taken_back() {
    let stand = Stand::new().await;
    let scopes = "--scope mailboxes,jobs --scope greetings";
    let made = stand.types(&format!("add crm --tenant acme {scopes} --expires 90d")).await.unwrap();
    let secret = made.lines().last().unwrap().to_owned();
    let client = Client { site: stand.site.clone(), token: Some(secret.clone()) };
    client.get("/mailboxes").await.is(200);
    client.get("/tenants").await.is(403);
    let list = stand.types("list").await.unwrap();
    let line = list.lines().find(|it| it.contains("crm")).unwrap();
    let told: Vec<_> = line.split_whitespace().skip(1).take(5).collect();
    let end = "2026-12-20T14:13:20Z";
    assert_eq!(told, ["crm", "acme", "greetings,mailboxes,jobs", "good", end], "{list}");
    let json = stand.types("list --json").await.unwrap();
    for said in [&list, &json] {
        assert!(!said.contains(&secret), "{said}");
    }
    let id = line.split(' ').next().unwrap();
    stand.types(&format!("rm {id}")).await.unwrap();
    client.get("/mailboxes").await.is(401);
    assert!(stand.types("list").await.unwrap().contains("taken back"));
    let again = stand.types(&format!("rm {id}")).await.unwrap_err();
    assert!(again.to_string().contains("see `afterbeep token list`"), "{again}");
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_not_made() {
    let stand = Stand::new().await;
    for (line, why) in [
        ("add crm", "--scope"),
        ("add crm --scope everything", "there are messages:read, messages:write"),
        ("add crm --scope jobs --tenant nobody", "there is no tenant called"),
        ("add crm --scope jobs --tenant acme --platform", "cannot be used with"),
        ("add crm --scope jobs --expires never", "--expires"),
    ] {
        let error = stand.types(line).await.unwrap_err();
        assert!(error.to_string().contains(why), "{line}: {error}");
    }
}
