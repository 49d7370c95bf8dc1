//! `[blobs]`: whether recordings move on to S3, and to which.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[blobs]`: where recordings and greetings are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`. Without it everything stays in the data folder.
    pub url: Option<String>,
    /// The address of an S3 server that is not Amazon's: `https://s3.example.org`.
    pub endpoint: Option<String>,
    /// The region; servers of one's own mostly do not care.
    pub region: String,
    /// The name of the key. Without it the usual `AWS_` variables or the machine's role are used.
    pub access_key: Option<String>,
    /// A file with nothing but the key's secret in it.
    pub secret_key_file: Option<PathBuf>,
    /// Whether the bucket is named in the path, which every server understands, or in the host.
    pub path_style: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            endpoint: None,
            region: "us-east-1".into(),
            access_key: None,
            secret_key_file: None,
            path_style: true,
        }
    }
}

impl Settings {
    /// What is wrong with these settings, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if let Some(url) = &self.url {
            place(url)?;
        }
        let http = |it: &str| it.starts_with("http://") || it.starts_with("https://");
        match &self.endpoint {
            Some(it) if !http(it) || it.contains(char::is_whitespace) => {
                return Err(format!("endpoint: {it:?} is not a web address"));
            }
            _ => {}
        }
        if self.access_key.is_some() != self.secret_key_file.is_some() {
            return Err("access_key and secret_key_file belong together; one is missing".into());
        }
        Ok(())
    }
}

/// Bucket and prefix of an address; the prefix may be empty.
pub(super) fn place(url: &str) -> Result<(&str, &str), String> {
    let rest = url.strip_prefix("s3://").ok_or("url: must begin with s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let fine = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(fine) {
        return Err(format!("url: {bucket:?} is not the name of a bucket"));
    }
    let fine = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'/');
    let prefix = prefix.trim_matches('/');
    if !prefix.bytes().all(fine) || prefix.split('/').any(|it| it == "." || it == "..") {
        return Err(format!("url: {prefix:?} cannot be a prefix; use letters, digits, - _ . /"));
    }
    Ok((bucket, prefix))
}
