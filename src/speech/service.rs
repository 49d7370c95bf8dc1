//! A service that somebody runs elsewhere, over HTTP: asked with a key, believed within bounds.
//!
//! What is sent is what callers said, so it goes out encrypted or stays on a private network; a
//! service cannot send us on to another. Neither keys nor what was said nor what was answered is
//! ever part of an error.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use serde::de::DeserializeOwned;

/// One service at one address.
#[derive(Debug)]
pub(super) struct Service {
    /// Without a slash at its end.
    url: String,
    key_file: Option<PathBuf>,
    /// How long an answer may take as a whole.
    longest: Duration,
    /// Made when it is first asked: that reads the system's certificates.
    client: OnceLock<Client>,
}

/// Why a service gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The file with its key is not there, or holds no key.
    #[error("the key cannot be read from {path}")]
    Key {
        /// As set.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// No connection came about, or it broke.
    #[error("the service cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It took longer than it may.
    #[error("the service took longer than {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// It said no.
    #[error("the service answered with status {status}{}", meaning(*status))]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// Its answer is longer than any answer.
    #[error("the service answered with more than {0} bytes")]
    TooLong(usize),
    /// Its answer is not what was agreed. What it says instead stays unsaid.
    #[error("the service's answer cannot be understood")]
    Junk,
}

impl ServiceError {
    /// Whether the same may be asked again later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Refused { status } => matches!(status, 408 | 425 | 429 | 456 | 500..),
            Self::Key { .. } | Self::TooLong(_) | Self::Junk => false,
        }
    }

    /// Whether it is the settings that are wrong, so that every message would fare the same.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Key { .. } => true,
            Self::Refused { status } => matches!(status, 300..=399 | 401 | 403 | 404 | 405),
            _ => false,
        }
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => " (it wants to send us elsewhere)",
        401 | 403 => " (it does not take the key)",
        404 | 405 => " (there is no such service at this address)",
        413 => " (this is too long for it)",
        429 => " (too many requests)",
        456 => " (the quota is used up)",
        500.. => " (it has trouble of its own)",
        _ => "",
    }
}

/// Longest answer that is read; an hour of speech is about 100 kB of text.
const LONGEST_ANSWER: usize = 8 << 20;
/// Longest key.
const LONGEST_KEY: u64 = 4_096;
/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    pub(super) fn new(url: &str, key_file: Option<PathBuf>, longest: Duration) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { url, key_file, longest, client: OnceLock::new() }
    }

    /// The key as it is in its file now, if there is one.
    pub(super) fn key(&self) -> Result<Option<String>, ServiceError> {
        let Some(path) = &self.key_file else { return Ok(None) };
        let failed = |cause| ServiceError::Key { path: path.clone(), cause };
        let key = read_key(path).map_err(failed)?;
        Ok(Some(key))
    }

    /// Posts a body of this type to a path and reads the JSON that comes back. `dress` adds what
    /// else the request needs.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, ServiceError> {
        let answer = self.fetch(path, kind, body, LONGEST_ANSWER, dress).await?;
        serde_json::from_slice(&answer).map_err(|_| ServiceError::Junk)
    }

    /// The same for an answer that is no JSON, of `most` bytes.
    pub(super) async fn fetch(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
        most: usize,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Vec<u8>, ServiceError> {
        let request = self.client()?.post(format!("{}{path}", self.url));
        let request = dress(request.header(CONTENT_TYPE, kind).body(body));
        let answer = async {
            let response = request.send().await.map_err(|cause| self.failed(cause))?;
            let status = response.status().as_u16();
            if !response.status().is_success() {
                return Err(ServiceError::Refused { status });
            }
            self.read(response, most).await
        };
        let timed_out = |_| ServiceError::TimedOut(self.longest);
        tokio::time::timeout(self.longest, answer).await.map_err(timed_out)?
    }

    async fn read(&self, mut response: Response, most: usize) -> Result<Vec<u8>, ServiceError> {
        let mut answer = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|cause| self.failed(cause))? {
            if answer.len() + bytes.len() > most {
                return Err(ServiceError::TooLong(most));
            }
            answer.extend_from_slice(&bytes);
        }
        Ok(answer)
    }

    fn client(&self) -> Result<&Client, ServiceError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // A second installation is refused, and then there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().connect_timeout(PATIENCE).redirect(redirect::Policy::none());
        let client = client.build().map_err(|cause| self.failed(cause))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn failed(&self, cause: reqwest::Error) -> ServiceError {
        if cause.is_timeout() {
            return ServiceError::TimedOut(self.longest);
        }
        ServiceError::Unreachable(cause.without_url())
    }
}

/// A header that no log shows.
pub(super) fn secret_header(value: &str) -> Result<HeaderValue, ServiceError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| ServiceError::Key {
        path: PathBuf::new(),
        cause: io::Error::other("a key of letters that no header may have"),
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn read_key(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut key = String::new();
    std::fs::File::open(path)?.take(LONGEST_KEY).read_to_string(&mut key)?;
    let key = key.trim();
    let sound = !key.is_empty() && key.chars().all(|it| it.is_ascii_graphic());
    if sound { Ok(key.to_owned()) } else { Err(io::Error::other("there is no key in it")) }
}

/// What is wrong with a service's address, as a sentence for the operator: it must be encrypted,
/// unless it is an address on this machine or a private network, or the operator says so.
pub(super) fn check_url(url: &str, plain_http: bool) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|_| format!("url: {url:?} is not a web address"))?;
    if parsed.has_authority() && (!parsed.username().is_empty() || parsed.password().is_some()) {
        return Err("url: keep the key out of the address; put it into key_file".to_owned());
    }
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if plain_http || parsed.host_str().is_some_and(is_near) => Ok(()),
        "http" => Err(format!(
            "url: {url} would carry what callers said in the open; use https, or set plain_http \
             if the network between is yours"
        )),
        _ => Err(format!("url: {url:?} is neither https nor http")),
    }
}

/// This machine or a private network, by its address alone.
fn is_near(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(it)) => it.is_loopback() || it.is_private() || it.is_link_local(),
        Ok(IpAddr::V6(it)) => {
            it.is_loopback() || it.is_unique_local() || it.is_unicast_link_local()
        }
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_said_goes_out_encrypted_or_stays_near() {
        for good in [
            "https://example.org",
            "http://127.0.0.1:5000",
            "http://[::1]:1/v",
            "http://192.168.1.2",
            "http://localhost",
        ] {
            assert_eq!(check_url(good, false), Ok(()), "{good}");
        }
        for bad in [
            "http://example.org",
            "http://8.8.8.8",
            "ftp://example.org",
            "example.org",
            "",
            "https://key@example.org",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check_url("http://translate:5000", true), Ok(()));
    }
}
