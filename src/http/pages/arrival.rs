//! Forms with files in them (RFC 7578), part after part, so that no more than one file is held.

use std::time::Duration;

use axum::{
    extract::{FromRequest, Multipart, Request, multipart::Field},
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Trouble,
    session::{Fields, Visitor},
};
use crate::decode::LARGEST_MUSIC;

/// A file has to be here within this time: the largest, by way of 1 Mbit/s, takes nine minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Files that are taken in at once; who comes next waits.
static DESKS: Semaphore = Semaphore::const_new(4);
/// Longest text in a form, in bytes.
const LONGEST: usize = 16 << 10;
/// Most fields of a form.
const MOST: usize = 40;

/// A form on its way here. Its token comes first; nothing behind a wrong one is looked at.
pub(super) struct Arrival {
    form: Multipart,
    visitor: Visitor,
    fields: Vec<(String, String)>,
    is_ours: bool,
}

/// A file that has come.
pub(super) struct File {
    /// What its sender calls it.
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Arrival {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        let visitor = request.extensions().get::<Visitor>().cloned().ok_or(Trouble::LoggedOut)?;
        let form = Multipart::from_request(request, state).await;
        let form = form.map_err(|_| Trouble::Refused("The form is no form with files."))?;
        Ok(Self { form, visitor, fields: Vec::new(), is_ours: false })
    }
}

impl Arrival {
    /// The next file; `None` behind the last. An empty one is no file: none was chosen.
    pub(super) async fn file(&mut self) -> Result<Option<File>, Trouble> {
        let Self { form, visitor, fields, is_ours } = self;
        loop {
            let next = timeout(PATIENCE, form.next_field()).await.map_err(|_| slow())?;
            let next = next.map_err(|_| broken())?;
            let name = next.as_ref().map(|it| it.file_name().map(str::to_owned));
            if name != Some(None) && !*is_ours {
                visitor.made("")?;
            }
            match (next, name.flatten()) {
                (None, _) => return Ok(None),
                (Some(field), None) => {
                    let (name, text) = text(field).await?;
                    if name == "token" {
                        visitor.made(&text)?;
                        *is_ours = true;
                    }
                    if fields.len() >= MOST {
                        return Err(broken());
                    }
                    fields.push((name, text));
                }
                (Some(field), Some(name)) => {
                    let _desk = DESKS.acquire().await;
                    let bytes = timeout(PATIENCE, bytes(field, LARGEST_MUSIC)).await;
                    let bytes = bytes.map_err(|_| slow())??;
                    if !name.is_empty() && !bytes.is_empty() {
                        return Ok(Some(File { name, bytes }));
                    }
                }
            }
        }
    }

    /// What else stood in the form, as far as it has come.
    pub(super) fn fields(self) -> Fields {
        self.fields.into()
    }
}

/// A field that is no file: what it is called, and what it says.
async fn text(field: Field<'_>) -> Result<(String, String), Trouble> {
    let name = field.name().unwrap_or_default().to_owned();
    let text = timeout(PATIENCE, bytes(field, LONGEST)).await.map_err(|_| slow())??;
    Ok((name, String::from_utf8_lossy(&text).into_owned()))
}

async fn bytes(mut field: Field<'_>, most: usize) -> Result<Bytes, Trouble> {
    let mut all = BytesMut::new();
    while let Some(some) = field.chunk().await.map_err(|_| broken())? {
        if all.len() + some.len() > most {
            let text = match most {
                LARGEST_MUSIC => {
                    let mib = LARGEST_MUSIC >> 20;
                    format!("The file is larger than {mib} MiB; send a shorter one, or an MP3.")
                }
                _ => "A text is too long; make it shorter.".to_owned(),
            };
            return Err(Trouble::Unfit(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        all.extend_from_slice(&some);
    }
    Ok(all.freeze())
}

fn slow() -> Trouble {
    let text = "The file was not here within 15 minutes. Send a smaller one, such as an MP3.";
    Trouble::Unfit(StatusCode::REQUEST_TIMEOUT, text.to_owned())
}

fn broken() -> Trouble {
    let text = "The file did not come whole. Send it again.";
    Trouble::Unfit(StatusCode::BAD_REQUEST, text.to_owned())
}
