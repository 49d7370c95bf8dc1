//! Files of hold music that arrive in pieces, so that a connection that breaks costs a piece and not the
//! file: the resources and headers of draft-ietf-httpbis-resumable-upload-12, without its interim answers.
//!
//! What is told as an offset is on disk. Whoever asks how much has come (HEAD) ends what still comes by a
//! connection that broke; two who send at the same time are not served both.

mod piece;

use axum::{
    Extension, Json,
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use self::piece::Piece;
use super::{
    Api, ROOT,
    access::{Asked, At},
    description::whole,
    files,
    music::{find as class, refused},
    operation::{Answer, Body, Operation, Parameter},
    path::{Id, Pair},
    problem::{Code, Problem},
    tracks,
};
use crate::{
    admin,
    decode::LARGEST_MUSIC,
    store::{
        tokens::Scope,
        tracks as stored,
        uploads::{self, LASTS, Upload},
    },
};

/// What the next part of a file is sent as.
pub(super) const PIECE: &str = "application/partial-upload";

const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const LIMIT: HeaderName = HeaderName::from_static("upload-limit");

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/music/{class}/uploads";
    const ONE: &str = "/music/{class}/uploads/{upload}";
    let scope = Scope::Music;
    let parameter = |name, what, required, schema| Parameter { name, what, schema, required };
    let number = json!({ "type": "integer", "minimum": 0 });
    let flag = json!({ "type": "string", "pattern": "^\\?[01]$" });
    let length = || {
        let what = "How many bytes the whole file has, if that is known.";
        parameter("Upload-Length", what, false, number.clone())
    };
    let complete = |what, schema: &Value| parameter("Upload-Complete", what, true, schema.clone());
    vec![
        Operation::new(
            (Method::POST, ALL),
            ("beginUpload", "Begin to send a large file in pieces; nothing of it comes yet."),
            scope,
            begin,
        )
        .asks_all(files::parameters())
        .reads(complete(
            "`?0`: there is more to come.",
            &json!({ "type": "string", "const": "?0" }),
        ))
        .reads(length())
        .answers(Answer::Made("Upload"))
        .refuses(409)
        .refuses(413)
        .refuses(422),
        Operation::new(
            (Method::HEAD, ONE),
            ("measureUpload", "How much of it has come, after a connection broke."),
            scope,
            measure,
        )
        .answers(Answer::Offset),
        Operation::new(
            (Method::PATCH, ONE),
            ("continueUpload", "Send the next piece. With the last one it becomes a track."),
            scope,
            go_on,
        )
        .reads(parameter("Upload-Offset", "Where the piece begins.", true, number.clone()))
        .reads(complete("`?1` with the last piece, else `?0`.", &flag))
        .reads(length())
        .takes(Body::Piece)
        .answers(Answer::Made("Track"))
        .answers(Answer::Offset)
        .refuses(409),
        Operation::new((Method::DELETE, ONE), ("cancelUpload", "Give it up."), scope, cancel)
            .answers(Answer::Nothing(204))
            .refuses(409),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let upload = json!({
        "id": { "type": "string", "format": "uuid", "description": "The track's, too." },
        "offset": { "type": "integer", "minimum": 0 },
        "length": { "type": ["integer", "null"], "minimum": 0 },
        "ends": {
            "type": "string", "format": "date-time",
            "description": "When it is given up if it is not whole.",
        },
    });
    vec![("Upload", whole(upload))]
}

/// The headers that tell how much of a file there is, for the description.
pub(super) fn told() -> Value {
    let text = json!({ "schema": { "type": "string" } });
    let number = json!({ "schema": { "type": "integer" } });
    json!({
        "Upload-Offset": number,
        "Upload-Complete": text,
        "Upload-Length": number,
        "Upload-Limit": text,
        "Location": text,
    })
}

async fn begin(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    Id(id): Id,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let class = class(&api, &tenant, id).await?;
    let Said { complete, length, .. } = Said::of(request.headers())?;
    if complete != Some(false) || !request.body().is_end_stream() {
        let detail = "an upload begins with Upload-Complete: ?0 and without a body; send a file \
                      that comes at once to /tracks";
        return Err(Problem::new(Code::BadParameter, detail));
    }
    if length.is_some_and(|it| it > LARGEST_MUSIC as u64) {
        return Err(too_large());
    }
    let track = admin::music::track(&api.clock, files::said(&asked)).map_err(refused)?;
    let upload = Upload { track, length, arrived: 0, begun: api.clock.now() };
    uploads::begin(&api.db, &tenant, &class.id, &upload).await?;
    let at = &upload.track.id.0;
    let place = [(header::LOCATION, format!("{ROOT}/music/{id}/uploads/{at}"))];
    let shown = json!({
        "id": at,
        "offset": 0,
        "length": length,
        "ends": super::moment(upload.begun + LASTS),
    });
    Ok((StatusCode::CREATED, place, headers(&api, &upload), Json(shown)))
}

async fn measure(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, at): Pair,
) -> Result<Response, Problem> {
    let class = class(&api, &tenant, id).await?;
    let track = tracks::named(at);
    let found = async || uploads::get(&api.db, &class.id, &track, api.clock.now()).await;
    if found().await?.is_some() {
        api.blobs.parts().reclaim(at).await;
    }
    if let Some(upload) = found().await? {
        return Ok((StatusCode::NO_CONTENT, headers(&api, &upload)).into_response());
    }
    // Whoever missed the answer to the last piece is told what became of it.
    let original = stored::original(&api.db, &class.id, &track).await?;
    let size = api.blobs.size(&original.ok_or_else(Problem::missing)?).await?.to_string();
    let all = [(OFFSET, size.clone()), (LENGTH, size), (COMPLETE, "?1".to_owned())];
    let place = [(header::LOCATION, tracks::address(&class, &track))];
    Ok((StatusCode::NO_CONTENT, all, place).into_response())
}

async fn go_on(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, at): Pair,
    request: Request,
) -> Result<Response, Problem> {
    let class = class(&api, &tenant, id).await?;
    let track = tracks::named(at);
    let found = async || {
        let found = uploads::get(&api.db, &class.id, &track, api.clock.now()).await?;
        found.ok_or_else(Problem::missing)
    };
    found().await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    if !kind.is_some_and(|it| it.trim().eq_ignore_ascii_case(PIECE)) {
        return Err(Problem::new(Code::MediaType, format!("a piece of a file is sent as {PIECE}")));
    }
    let said = Said::of(request.headers())?;
    let (Some(offset), Some(complete)) = (said.offset, said.complete) else {
        let detail = "a piece needs the headers Upload-Offset and Upload-Complete";
        return Err(Problem::new(Code::BadParameter, detail));
    };
    let Some(part) = api.blobs.parts().hold(at) else { return Err(at_work()) };
    // Nobody else changes it from here on.
    let upload = found().await?;
    if offset != upload.arrived {
        return Err(Problem::elsewhere(upload.arrived, offset));
    }
    let length = upload.length.or(said.length);
    if said.length.is_some_and(|it| Some(it) != length) {
        let detail = "Upload-Length is not what it was when the upload was begun";
        return Err(Problem::new(Code::BadParameter, detail));
    }
    let piece = Piece { api: api.clone(), class, upload, part, length };
    // When the connection breaks, what has come still has to be kept.
    let work = tokio::spawn(piece.take(request.into_body(), complete));
    work.await.map_err(anyhow::Error::from)?
}

async fn cancel(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Pair(id, at): Pair,
) -> Result<StatusCode, Problem> {
    let class = class(&api, &tenant, id).await?;
    let track = tracks::named(at);
    uploads::get(&api.db, &class.id, &track, api.clock.now())
        .await?
        .ok_or_else(Problem::missing)?;
    let parts = api.blobs.parts();
    parts.reclaim(at).await;
    let Some(part) = parts.hold(at) else { return Err(at_work()) };
    if !uploads::end(&api.db, &class.id, &track).await? {
        // It has become a track meanwhile.
        return Err(Problem::missing());
    }
    part.remove().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a request says by its headers.
struct Said {
    offset: Option<u64>,
    complete: Option<bool>,
    length: Option<u64>,
}

impl Said {
    /// What cannot be read is refused, where the draft would have it ignored: whoever said it meant something.
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name| headers.get(name).map(|it| it.to_str().unwrap_or_default().trim());
        let wrong = |detail| Problem::new(Code::BadParameter, detail);
        let number = |name| {
            let digits = |it: &&str| it.bytes().all(|it| it.is_ascii_digit());
            let read = |it: &str| Some(it).filter(digits)?.parse().ok();
            let told = "Upload-Offset and Upload-Length are numbers of bytes";
            text(name).map(|it| read(it).ok_or_else(|| wrong(told))).transpose()
        };
        let complete = match text(COMPLETE) {
            None => None,
            Some("?1") => Some(true),
            Some("?0") => Some(false),
            Some(_) => return Err(wrong("Upload-Complete is ?0 or ?1")),
        };
        Ok(Self { offset: number(OFFSET)?, complete, length: number(LENGTH)? })
    }
}

/// How much of an upload there is, and what limits it.
fn headers(api: &Api, upload: &Upload) -> HeaderMap {
    let left = (upload.begun + LASTS).0.saturating_sub(api.clock.now().0).max(0) / 1_000;
    let mut all = HeaderMap::new();
    all.insert(OFFSET, upload.arrived.into());
    all.insert(COMPLETE, HeaderValue::from_static("?0"));
    all.extend(upload.length.map(|it| (LENGTH, it.into())));
    all.insert(LIMIT, limit(&format!(", max-age={left}")));
    all
}

fn limit(more: &str) -> HeaderValue {
    let text = format!("max-size={LARGEST_MUSIC}{more}");
    text.parse().expect("letters and digits are a header")
}

fn at_work() -> Problem {
    let detail =
        "another request is at work on this upload; ask for its offset (HEAD) and go on there";
    Problem::new(Code::AtWork, detail)
}

fn too_large() -> Problem {
    let mib = LARGEST_MUSIC >> 20;
    let detail = format!("the file has more than {mib} MiB, or more than Upload-Length says");
    Problem::new(Code::TooLarge, detail).with(LIMIT, limit(""))
}
