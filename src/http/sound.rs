//! A kept sound as the answer to a request, or the part of it that is asked for.

use axum::{body::Body, http::HeaderMap, response::Response};

use super::range;
use crate::blobs::{BlobError, Blobs};

/// The WAV under a key. A range outside of it gets a 416 without a body.
pub(super) async fn of(blobs: &Blobs, key: &str, asked: &HeaderMap) -> Result<Response, BlobError> {
    let length = blobs.size(key).await?;
    let (answer, wanted) = range::sound(asked, "audio/wav", length);
    let bytes = match wanted.is_empty() {
        true => Default::default(),
        false => blobs.get_range(key, wanted).await?,
    };
    Ok(answer.body(Body::from(bytes)).expect("the headers are ours"))
}
