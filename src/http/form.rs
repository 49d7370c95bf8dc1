//! Forms with files in them (RFC 7578), part after part, so that no more than one file is held.

use std::time::Duration;

use axum::{
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, multipart::Field},
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use tokio::{sync::Semaphore, time::timeout};

use crate::decode::LARGEST_MUSIC;

/// A file has to be here within this time: the largest, by way of 1 Mbit/s, takes nine minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Files that are taken in at once; who comes next waits.
static DESKS: Semaphore = Semaphore::const_new(4);
/// Longest text in a form, in bytes.
const LONGEST: usize = 16 << 10;
/// Most fields of a form.
const MOST: usize = 40;

/// A form on its way here.
pub(super) struct Form {
    form: Multipart,
    fields: usize,
}

/// The next part of a form.
pub(super) enum Part<'a> {
    /// A field that is no file: what it is called, and what it says.
    Text(String, String),
    /// A file, of which nothing was read yet.
    File(Coming<'a>),
}

/// A file that comes if it is wanted.
pub(super) struct Coming<'a>(Box<Field<'a>>);

/// A file that has come.
pub(super) struct File {
    /// What its sender calls it; nothing if none was chosen.
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

/// Why a form cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the file was not here within {} minutes; send a smaller one, such as an MP3", PATIENCE.as_secs() / 60)]
    Slow,
    #[error("the file is larger than {} MiB; send a shorter one, or an MP3", LARGEST_MUSIC >> 20)]
    TooLarge,
    #[error("a text is too long; make it shorter")]
    TooLong,
    #[error("the file did not come whole; send it again")]
    Broken,
}

impl Unfit {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge | Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// Whether the body says that it is such a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("multipart/form-data")
}

impl Form {
    /// Begins to read one; `None` if the body is none.
    pub(super) async fn of<S: Send + Sync>(mut request: Request, state: &S) -> Option<Self> {
        // The limits are those of its parts.
        DefaultBodyLimit::disable().apply(&mut request);
        let form = Multipart::from_request(request, state).await.ok()?;
        Some(Self { form, fields: 0 })
    }

    /// The next part; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Part<'_>>, Unfit> {
        let next = timeout(PATIENCE, self.form.next_field()).await.map_err(|_| Unfit::Slow)?;
        let Some(field) = next.map_err(|_| Unfit::Broken)? else { return Ok(None) };
        if field.file_name().is_some() {
            return Ok(Some(Part::File(Coming(Box::new(field)))));
        }
        self.fields += 1;
        if self.fields > MOST {
            return Err(Unfit::Broken);
        }
        let name = field.name().unwrap_or_default().to_owned();
        let text = arrived(field, LONGEST, Unfit::TooLong).await?;
        Ok(Some(Part::Text(name, String::from_utf8_lossy(&text).into_owned())))
    }
}

impl Coming<'_> {
    /// What the field is called that it stands in.
    pub(super) fn field(&self) -> &str {
        self.0.name().unwrap_or_default()
    }

    /// Takes it in.
    pub(super) async fn arrive(self) -> Result<File, Unfit> {
        let name = self.0.file_name().unwrap_or_default().to_owned();
        let _desk = DESKS.acquire().await;
        let bytes = arrived(*self.0, LARGEST_MUSIC, Unfit::TooLarge).await?;
        Ok(File { name, bytes })
    }
}

async fn arrived(mut field: Field<'_>, most: usize, too_much: Unfit) -> Result<Bytes, Unfit> {
    let mut all = BytesMut::new();
    let coming = async {
        while let Some(some) = field.chunk().await.map_err(|_| Unfit::Broken)? {
            if all.len() + some.len() > most {
                return Err(too_much);
            }
            all.extend_from_slice(&some);
        }
        Ok(())
    };
    timeout(PATIENCE, coming).await.map_err(|_| Unfit::Slow)??;
    Ok(all.freeze())
}
