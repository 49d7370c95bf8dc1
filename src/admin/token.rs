//! Making tokens for the API.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, bail};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{TryRngCore, rngs::OsRng};

use super::check;
use crate::{
    clock::Clock,
    mailbox::TenantId,
    store::{
        Db,
        tokens::{self, Scope, Token},
    },
};

/// Tells at sight what a token is, to people and to programs that look for leaked ones.
const PREFIX: &str = "ab_";

/// What a new token is for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is called in lists.
    pub name: String,
    /// Whose things it reaches; `None` for every tenant's.
    pub tenant: Option<TenantId>,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// How long it is good for; `None` for ever.
    pub lasts: Option<Duration>,
}

/// Makes a token and keeps what is needed to know it again. Answers with the token itself, 256
/// bits from the operating system, which is nowhere else.
pub async fn add(db: &Db, clock: &Clock, wanted: Wanted) -> anyhow::Result<String> {
    check::name(&wanted.name)?;
    if wanted.scopes.is_empty() {
        bail!("a token without scopes can do nothing");
    }
    let mut bits = [0; 32];
    OsRng.try_fill_bytes(&mut bits).context("the system gives no random numbers")?;
    let secret = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bits));
    let now = clock.now();
    let token = Token {
        id: clock.message_id().to_string(),
        tenant: wanted.tenant,
        name: wanted.name,
        scopes: wanted.scopes,
        expires: wanted.lasts.map(|it| now + it),
        used: None,
        revoked: None,
    };
    tokens::add(db, &token, &tokens::fingerprint(&secret), now).await?;
    Ok(secret)
}
