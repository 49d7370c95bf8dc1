//! The links in letters: each opens one thing to whoever holds it, and is signed so that nobody
//! makes one. Pure.
//!
//! A token is `payload ‖ HMAC-SHA-256(key, purpose ‖ payload)`, the latter cut to 128 bits
//! (RFC 2104 §5), written in base64url. Nothing is kept of the links that were given away.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use reqwest::Url;
use sha2::Sha256;
use uuid::Uuid;

use crate::mailbox::{MailboxId, MessageId, Timestamp};

/// Makes links, and reads those that come back.
#[derive(Clone)]
pub struct Links {
    base_url: String,
    key: [u8; Links::KEY],
    listen_for: Duration,
}

/// The addresses a letter tells, as far as there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// Where this server's pages are reached.
    pub base_url: Option<String>,
    /// Where the recording can be heard.
    pub listen: Option<String>,
    /// Where this recipient can ask for no more mail.
    pub unsubscribe: Option<String>,
}

/// Somebody who may not want mail from a mailbox any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The address.
    pub address: String,
}

/// Bytes of a signature.
const SIGNATURE: usize = 16;
/// Longest token that is looked at, in characters.
const LONGEST: usize = 700;

impl Links {
    /// Bytes of the key.
    pub const KEY: usize = 32;

    /// Links below an address, signed with a key of [`Links::KEY`] bytes in hexadecimal. `None` if
    /// the key is none, or if what is said on the way there can be read along: not `https`, and
    /// not on this machine.
    pub fn below(base_url: &str, key: &str, listen_for: Duration) -> Option<Self> {
        let url = Url::parse(base_url).ok()?;
        let here = match url.host_str()? {
            "localhost" => true,
            host => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                bare.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
            }
        };
        let private = url.scheme() == "https" || url.scheme() == "http" && here;
        if !private || url.query().is_some() || url.fragment().is_some() {
            return None;
        }
        let base_url = url.as_str().trim_end_matches('/').to_owned();
        Some(Self { base_url, key: key_of(key)?, listen_for })
    }

    /// The addresses for a letter to this reader about a message that came into the mailbox then.
    pub fn ways(&self, id: MessageId, filed: Timestamp, reader: &Reader) -> Ways {
        let base = &self.base_url;
        Ways {
            base_url: Some(base.clone()),
            listen: Some(format!("{base}/l/{}", self.listen(id, filed))),
            unsubscribe: Some(format!("{base}/u/{}", self.unsubscribe(reader))),
        }
    }

    /// A token that opens the recording of one message. It ends a set time after the message came
    /// into the mailbox, so that every try of a letter has the same.
    pub fn listen(&self, id: MessageId, filed: Timestamp) -> String {
        let until = (filed + self.listen_for).0.to_be_bytes();
        self.token("listen", &[&id.0.as_bytes()[..], &until].concat())
    }

    /// The message whose recording a token opens at this moment.
    pub fn opened(&self, token: &str, now: Timestamp) -> Option<MessageId> {
        let payload = self.payload("listen", token)?;
        let (id, until) = payload.split_at_checked(16)?;
        let until = i64::from_be_bytes(until.try_into().ok()?);
        (now.0 < until).then_some(MessageId(Uuid::from_slice(id).ok()?))
    }

    /// A token with which one address is taken off one mailbox. It does not end: letters are read
    /// years later.
    pub fn unsubscribe(&self, reader: &Reader) -> String {
        let payload = [reader.mailbox.0.as_bytes(), reader.address.as_bytes()].join(&0);
        self.token("unsubscribe", &payload)
    }

    /// Whom a token takes off.
    pub fn reader(&self, token: &str) -> Option<Reader> {
        let payload = String::from_utf8(self.payload("unsubscribe", token)?).ok()?;
        let (mailbox, address) = payload.split_once('\0')?;
        Some(Reader { mailbox: MailboxId(mailbox.to_owned()), address: address.to_owned() })
    }

    fn token(&self, purpose: &str, payload: &[u8]) -> String {
        let signature = self.signed(purpose, payload).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([payload, &signature[..SIGNATURE]].concat())
    }

    fn payload(&self, purpose: &str, token: &str) -> Option<Vec<u8>> {
        if token.len() > LONGEST {
            return None;
        }
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let signature = bytes.split_off(bytes.len().checked_sub(SIGNATURE)?);
        self.signed(purpose, &bytes).verify_truncated_left(&signature).ok()?;
        Some(bytes)
    }

    fn signed(&self, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac: Hmac<Sha256> =
            Hmac::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(payload);
        mac
    }
}

impl fmt::Debug for Links {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The key as it is kept.
pub fn key_as_text(key: [u8; Links::KEY]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key_of(text: &str) -> Option<[u8; Links::KEY]> {
    let digits: Vec<u8> = text.chars().map_while(|it| Some(it.to_digit(16)? as u8)).collect();
    let whole = digits.len() == text.len();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|it| it[0] << 4 | it[1]).collect();
    bytes.try_into().ok().filter(|_| whole)
}
