//! A bucket on an S3 server.

use std::{fs, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
    prefix::PrefixStore,
};

use super::{BlobError, Settings, checked, settings};

/// How long reaching the server may take; a caller may be waiting for a greeting.
const REACHED: Duration = Duration::from_secs(3);
/// How long it may say nothing in the middle of an answer.
const SILENT: Duration = Duration::from_secs(10);
/// How long one recording may take on its way.
const LONGEST: Duration = Duration::from_secs(300);
/// How long a request goes on to be tried; what must happen is tried again by whoever knows why.
const TRIED: Duration = Duration::from_secs(5);

/// The bucket, or the part of it that is ours.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<PrefixStore<AmazonS3>>,
}

impl Bucket {
    /// Gets ready to talk to it; nothing is said yet.
    pub fn open(url: &str, settings: &Settings) -> Result<Self, BlobError> {
        let (bucket, prefix) = settings::place(url).map_err(BlobError::Settings)?;
        // The first in the process wins; the others find it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = match (&settings.access_key, &settings.secret_key_file) {
            (Some(key), Some(path)) => {
                let secret = fs::read_to_string(path)
                    .map_err(|error| BlobError::Secret(path.display().to_string(), error))?;
                let secret = secret.trim_end_matches(['\r', '\n']);
                AmazonS3Builder::new().with_access_key_id(key).with_secret_access_key(secret)
            }
            _ => AmazonS3Builder::from_env(),
        };
        if let Some(endpoint) = &settings.endpoint {
            let endpoint = match endpoint.split_once("://") {
                Some((scheme, host)) if !settings.path_style => {
                    format!("{scheme}://{bucket}.{host}")
                }
                _ => endpoint.clone(),
            };
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let plain = settings.endpoint.as_ref().is_some_and(|it| it.starts_with("http://"));
        let client = ClientOptions::new()
            .with_allow_http(plain)
            .with_connect_timeout(REACHED)
            .with_read_timeout(SILENT)
            .with_timeout(LONGEST);
        let retry = RetryConfig { max_retries: 1, retry_timeout: TRIED, ..Default::default() };
        let store = builder
            .with_bucket_name(bucket)
            .with_region(&settings.region)
            .with_virtual_hosted_style_request(!settings.path_style)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .map_err(|error| BlobError::Settings(error.to_string()))?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)) })
    }

    /// Puts it there and reads it back: only then is it known to be there, whatever the server
    /// checks or does not. What is there already is only read.
    pub async fn put(&self, key: &str, sound: &Bytes) -> Result<(), BlobError> {
        let place = checked(key)?;
        let length = sound.len() as u64;
        match self.size(key).await {
            Ok(size) if size == length && self.get(key).await? == *sound => return Ok(()),
            Ok(_) | Err(BlobError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
        let put = self.store.put(&place, sound.clone().into()).await;
        put.map_err(|error| refused(key, error))?;
        match self.get(key).await? {
            back if back == *sound => Ok(()),
            _ => Err(BlobError::Damaged(key.to_owned())),
        }
    }

    /// The whole of it.
    pub async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        let found = self.store.get(&checked(key)?).await.map_err(|error| refused(key, error))?;
        found.bytes().await.map_err(|error| refused(key, error))
    }

    /// These bytes of it; what lies beyond its end is left out.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        let found = self.store.get_range(&checked(key)?, range).await;
        found.map_err(|error| refused(key, error))
    }

    /// How many bytes it has.
    pub async fn size(&self, key: &str) -> Result<u64, BlobError> {
        let found = self.store.head(&checked(key)?).await.map_err(|error| refused(key, error))?;
        Ok(found.size)
    }

    /// Removes it; that it is already gone is fine.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.store.delete(&checked(key)?).await.map_err(|error| refused(key, error)) {
            Err(BlobError::Missing(_)) => Ok(()),
            other => other,
        }
    }

    /// The keys of everything there, or in a folder there, in no order; what is not ours is left out.
    pub async fn list(&self, folder: Option<&Key>) -> Result<Vec<String>, BlobError> {
        let listed = self.store.list(folder).map_ok(|it| it.location.to_string());
        let all: Vec<_> = listed.try_collect().await.map_err(|error| refused("(list)", error))?;
        Ok(all.into_iter().filter(|it| checked(it).is_ok()).collect())
    }
}

fn refused(key: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing(key.to_owned()),
        error => BlobError::Remote(key.to_owned(), error),
    }
}
