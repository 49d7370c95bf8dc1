//! Proving a password (RFC 7616), written out from the RFC.

use md5::Md5;
use sha2::{Digest, Sha256};

/// Who somebody is, and how they prove it.
#[derive(Debug, Clone)]
pub struct Account {
    pub user: &'static str,
    pub password: &'static str,
    /// `MD5` or `SHA-256`.
    pub algorithm: &'static str,
}

const CHANCE: &str = "0a4f113b";

/// A value in a challenge: `name=value` or `name="value"`.
pub fn parameter(challenge: &str, name: &str) -> Option<String> {
    let parts = challenge.trim_start_matches("Digest").split(',');
    parts.filter_map(|it| it.trim().split_once('=')).find_map(|(found, value)| {
        found.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

/// All values of `WWW-Authenticate` in a message.
pub fn challenges(message: &str) -> Vec<&str> {
    message.lines().filter_map(|it| it.strip_prefix("WWW-Authenticate: ")).collect()
}

impl Account {
    /// The `Authorization` line that answers the challenge in a 401 of this account's algorithm.
    pub fn answer(&self, refused: &str, method: &str, uri: &str, count: u32) -> String {
        let found = challenges(refused)
            .into_iter()
            .find(|it| parameter(it, "algorithm").as_deref() == Some(self.algorithm));
        let challenge = found.unwrap_or_else(|| panic!("no {} in {refused}", self.algorithm));
        let value = |name| parameter(challenge, name).unwrap_or_default();
        let (realm, nonce) = (value("realm"), value("nonce"));
        let proof = self.proof((&realm, &nonce), method, uri, count);
        format!(
            "Authorization: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"{uri}\", response=\"{proof}\", algorithm={}, cnonce=\"{CHANCE}\", qop=auth, \
             nc={count:08x}\r\n",
            self.user, self.algorithm,
        )
    }

    fn proof(&self, at: (&str, &str), method: &str, uri: &str, count: u32) -> String {
        self.proof_with(at, method, uri, (count, CHANCE))
    }

    /// What `response` has to be, for a realm and a nonce, a count and the other side's chance.
    pub fn proof_with(
        &self,
        (realm, nonce): (&str, &str),
        method: &str,
        uri: &str,
        (count, chance): (u32, &str),
    ) -> String {
        let hash = |text: String| match self.algorithm {
            "MD5" => hex(&Md5::digest(text)),
            _ => hex(&Sha256::digest(text)),
        };
        let secret = hash(format!("{}:{realm}:{}", self.user, self.password));
        let request = hash(format!("{method}:{uri}"));
        hash(format!("{secret}:{nonce}:{count:08x}:{chance}:auth:{request}"))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
