//! Accounts: who may call from an address that is not on the list, by a password (RFC 7616, 8760).
//!
//! A challenge costs no memory: the nonce carries its own age and the address it was given to, under
//! a seal only we can make. Only nonces that a right password was used with are remembered, to
//! refuse a second use of the same count; the table of them is bounded.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use sipx_sip::{
    HeaderName, Request, Response, Uri,
    auth::{self, Algorithm, Challenge},
};

use super::{credentials::Credentials, reply::with};

/// The accounts, and what is known of the nonces given out.
#[derive(Debug)]
pub(super) struct Guard {
    accounts: HashMap<String, Arc<auth::Credentials>>,
    /// Stands in for users that do not exist, so that a guess takes the same time.
    nobody: Arc<auth::Credentials>,
    key: [u8; 32],
    start: Instant,
    used: Mutex<Used>,
}

/// What a request's credentials are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It has none, or none made with a nonce of ours for that address.
    Unproved,
    /// No such user, or not their password.
    Wrong,
    /// The password is right; the nonce is too old, or was used like this before.
    Stale,
    /// This account.
    Right(Arc<str>),
}

/// Where passwords count. Nothing in it names the program.
const REALM: &str = "voicemail";
/// How long a nonce can be used.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces in use that are remembered; beyond it the older half must be asked for anew.
const MOST_NONCES: usize = 4_096;
/// `Authorization` headers of one request that are read.
const MOST_HEADERS: usize = 4;
/// What we ask for, best first.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

/// A nonce: seconds since the start, chance, and a seal over both and the address.
const NONCE: usize = 24;
const SEALED: usize = 12;
type Name = [u8; SEALED];

#[derive(Debug, Default)]
struct Used {
    /// The highest count of each nonce.
    counts: HashMap<Name, u32>,
    /// Nonces given out until then, in seconds since the start, are no longer known.
    forgotten: Option<u32>,
}

impl Guard {
    /// Guards these users with their passwords. `start` is now.
    pub(super) fn new(accounts: Vec<(String, String)>, start: Instant) -> Self {
        let accounts = accounts.into_iter().map(|(user, password)| {
            (user.clone(), Arc::new(auth::Credentials::new(user, password)))
        });
        let nobody = format!("{:032x}", rand::random::<u128>());
        Self {
            accounts: accounts.collect(),
            nobody: Arc::new(auth::Credentials::new(String::new(), nobody)),
            key: rand::random(),
            start,
            used: Mutex::default(),
        }
    }

    /// What a request that came from there is worth.
    pub(super) fn judge(&self, request: &Request, from: IpAddr, now: Instant) -> Judgement {
        let mut headers = request.headers.get_all(&HeaderName::Authorization).take(MOST_HEADERS);
        let ours = headers.find_map(|it| {
            let claim = Credentials::parse(&it.value()).filter(|it| it.realm == REALM)?;
            let name = self.opened(&claim.nonce, from)?;
            let algorithm = Algorithm::parse(claim.algorithm.as_deref().unwrap_or("MD5"))?;
            let fine = ALGORITHMS.contains(&algorithm) && claim.qop.eq_ignore_ascii_case("auth");
            let count = u32::from_str_radix(&claim.count, 16).ok().filter(|it| *it > 0)?;
            (fine && claim.count.len() == 8).then_some((claim, name, algorithm, count))
        });
        let Some((claim, name, algorithm, count)) = ours else { return Judgement::Unproved };
        let account = self.accounts.get(&claim.user);
        let password = account.unwrap_or(&self.nobody);
        let proved = is_proof(&claim, password, algorithm, (request.method.as_bytes(), count));
        if !(proved && account.is_some() && is_for(&claim.uri, &request.uri)) {
            return Judgement::Wrong;
        }
        match self.spend(name, count, now) {
            true => Judgement::Right(claim.user.into()),
            false => Judgement::Stale,
        }
    }

    /// Adds what asks for a password: the same nonce for every algorithm.
    pub(super) fn challenge(
        &self,
        mut response: Response,
        is_stale: bool,
        from: IpAddr,
        now: Instant,
    ) -> Response {
        let nonce = self.nonce(from, now);
        let stale = if is_stale { ", stale=true" } else { "" };
        for algorithm in ALGORITHMS {
            let name = algorithm.as_str();
            let value = format!(
                "Digest realm=\"{REALM}\", qop=\"auth\", algorithm={name}, nonce=\"{nonce}\"{stale}"
            );
            response = with(response, HeaderName::WwwAuthenticate, value);
        }
        response
    }

    fn nonce(&self, to: IpAddr, now: Instant) -> String {
        let mut name: Name = [0; SEALED];
        name[..4].copy_from_slice(&self.second(now).to_be_bytes());
        name[4..].copy_from_slice(&rand::random::<[u8; SEALED - 4]>());
        name.iter().chain(&self.seal(&name, to)).map(|it| format!("{it:02x}")).collect()
    }

    /// The name of a nonce that we gave to that address; `None` for any other.
    fn opened(&self, nonce: &str, from: IpAddr) -> Option<Name> {
        if nonce.len() != 2 * NONCE || !nonce.is_ascii() {
            return None;
        }
        let byte = |at| u8::from_str_radix(nonce.get(at..at + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..2 * NONCE).step_by(2).map(byte).collect::<Option<_>>()?;
        let (name, seal) = bytes.split_at(SEALED);
        let name = Name::try_from(name).ok()?;
        is_same(&self.seal(&name, from), seal).then_some(name)
    }

    /// Key and text have a fixed length and the hash is cut, so nothing can be added to either.
    fn seal(&self, name: &Name, peer: IpAddr) -> [u8; NONCE - SEALED] {
        let peer = match peer {
            IpAddr::V4(it) => it.to_ipv6_mapped(),
            IpAddr::V6(it) => it,
        };
        let hash = Sha256::new().chain_update(self.key).chain_update(name);
        let hash = hash.chain_update(peer.octets()).finalize();
        std::array::from_fn(|at| hash[at])
    }

    /// Takes a count that was not used before; `false` if it was, or if the nonce is too old.
    fn spend(&self, name: Name, count: u32, now: Instant) -> bool {
        let (second, life) = (self.second(now), NONCE_LIFE.as_secs() as u32);
        let given = |name: &Name| u32::from_be_bytes([name[0], name[1], name[2], name[3]]);
        let fresh = |name: &Name| given(name).saturating_add(life) >= second;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !fresh(&name) || used.forgotten.is_some_and(|it| given(&name) <= it) {
            return false;
        }
        if used.counts.len() >= MOST_NONCES && !used.counts.contains_key(&name) {
            used.counts.retain(|it, _| fresh(it));
            if used.counts.len() >= MOST_NONCES {
                // What is forgotten must not be used again, nor anything as old as it.
                let mut ages: Vec<u32> = used.counts.keys().map(given).collect();
                ages.sort_unstable();
                let middle = ages[ages.len() / 2];
                used.counts.retain(|it, _| given(it) > middle);
                used.forgotten = Some(middle);
                if given(&name) <= middle {
                    return false;
                }
            }
        }
        let highest = used.counts.entry(name).or_default();
        let new = count > *highest;
        *highest = count.max(*highest);
        new
    }

    fn second(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.start).as_secs();
        u32::try_from(passed).unwrap_or(u32::MAX)
    }
}

/// Whether the proof is what somebody with this password would have made.
fn is_proof(
    claim: &Credentials,
    password: &auth::Credentials,
    algorithm: Algorithm,
    (method, count): (&[u8], u32),
) -> bool {
    let challenge = Challenge {
        realm: REALM.into(),
        nonce: claim.nonce.clone(),
        opaque: None,
        algorithm,
        qop_auth: true,
        stale: false,
        from_proxy: false,
    };
    let method = String::from_utf8_lossy(method);
    let made = auth::respond(&challenge, password, &method, &claim.uri, count, &claim.cnonce);
    Credentials::parse(made.as_bytes()).is_some_and(|made| {
        is_same(made.response.as_bytes(), claim.response.to_ascii_lowercase().as_bytes())
    })
}

/// Whether the address that was proved is the one called. Proxies change hosts on the way; a changed
/// number needs the password.
fn is_for(proved: &str, called: &Uri) -> bool {
    let proved = Uri::parse(bytes::Bytes::from(proved.to_owned()));
    proved.is_ok_and(|it| it.user() == called.user())
}

/// Compares without telling by its time where the difference is.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |found, (a, b)| found | (a ^ b));
    one.len() == other.len() && difference == 0
}

#[cfg(test)]
mod tests;
