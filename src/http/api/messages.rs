//! What callers left: listed, read, heard, moved and marked.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Api,
    access::{Asked, At},
    fields::Fields,
    moment,
    operation::{Answer, Body, Operation},
    page::{self, Page},
    path::Id,
    problem::{Code, Problem},
};
use crate::{
    http::sound,
    mailbox::{Folder, Mailbox, MailboxId, MessageId, TenantId, Timestamp, Transcript},
    store::{
        deliveries::{self, Delivery},
        mailboxes,
        messages::{self, Marks, Message, Transcription},
        tokens::Scope,
        transcripts,
        translations::{self, Translated},
    },
};

mod schema;

pub(super) use schema::schemas;

/// Who put a message into the trash through the API.
const BY: &str = "api";

pub(super) fn operations() -> Vec<Operation> {
    const ONE: &str = "/messages/{message}";
    const SOUND: &str = "/messages/{message}/recording";
    let (read, write) = (Scope::MessagesRead, Scope::MessagesWrite);
    let folders = json!({ "type": "string", "enum": Folder::ALL.map(Folder::as_str) });
    vec![
        Operation::new(
            (Method::GET, "/mailboxes/{mailbox}/messages"),
            ("listMessages", "The messages in a mailbox, the newest first."),
            read,
            list,
        )
        .asks("folder", "Only those in this folder.", folders)
        .lists("Message"),
        Operation::new(
            (Method::GET, ONE),
            ("getMessage", "One message, with its translation and what became of its mails."),
            read,
            show,
        )
        .answers(Answer::One(200, "WholeMessage")),
        Operation::new((Method::PATCH, ONE), ("changeMessage", "Move or mark it."), write, change)
            .takes(Body::Json("MessagePatch"))
            .answers(Answer::One(200, "WholeMessage")),
        Operation::new(
            (Method::DELETE, ONE),
            ("deleteMessage", "Put it into the trash, from where it can be fetched back."),
            write,
            delete,
        )
        .answers(Answer::Nothing(204)),
        Operation::new((Method::GET, SOUND), ("hearMessage", "Its recording."), read, hear)
            .answers(Answer::Sound),
        Operation::new(
            (Method::HEAD, SOUND),
            ("measureMessage", "How long its recording is, in bytes."),
            read,
            hear,
        )
        .answers(Answer::Sound),
    ]
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let page = Page::of(&asked)?;
    let folder = asked.one("folder").map(str::parse::<Folder>).transpose();
    let folder = folder.map_err(|detail| Problem::new(Code::BadParameter, detail))?;
    let before = match page.after.as_str() {
        "" => None,
        after => Some(place(after).ok_or_else(page::bad_cursor)?),
    };
    let mailbox = mailboxes::held(&api.db, &tenant, &MailboxId(id.to_string())).await?;
    let mailbox = mailbox.ok_or_else(Problem::missing)?;
    let wanted = messages::Page { before, most: page.fetch() };
    let mut rows = Vec::new();
    for message in messages::list(&api.db, &mailbox.id, folder, wanted).await? {
        let transcript = transcripts::of(&api.db, &message.id).await?;
        rows.push((message, transcript));
    }
    let key = |(it, _): &(Message, _)| format!("{}:{}", it.envelope.received.0, it.id);
    Ok(page.of_rows(rows, key, |(message, transcript)| shown(message, transcript.as_ref())))
}

/// Where a page ended, from its cursor.
fn place(cursor: &str) -> Option<(Timestamp, MessageId)> {
    let (received, id) = cursor.split_once(':')?;
    Some((Timestamp(received.parse().ok()?), MessageId(Uuid::parse_str(id).ok()?)))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    whole(&api, &find(&api, &tenant, id).await?.0).await
}

async fn change(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (message, mailbox) = find(&api, &tenant, id).await?;
    let folder = fields.text("folder", |it| match it.parse::<Folder>() {
        Ok(_) => Ok(()),
        Err(problem) => Err(anyhow::anyhow!(problem)),
    });
    let (urgent, private) = (fields.flag("urgent"), fields.flag("private"));
    let (pinned, held) = (fields.flag("pinned"), fields.flag("held"));
    fields.done()?;
    let marks = Marks {
        urgent: urgent.unwrap_or(message.marks.urgent),
        pinned: pinned.unwrap_or(message.marks.pinned),
        held: held.unwrap_or(message.marks.held),
        private: private.unwrap_or(message.marks.private),
    };
    if marks != message.marks {
        messages::mark(&api.db, &mailbox.id, &message.id, marks).await?;
    }
    if let Some(folder) = folder.and_then(|it| it.parse::<Folder>().ok()) {
        let now = api.clock.now();
        messages::move_to(&api.db, &mailbox.id, &message.id, folder, BY, now).await?;
    }
    whole(&api, &find(&api, &tenant, id).await?.0).await
}

async fn delete(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
) -> Result<StatusCode, Problem> {
    let (message, mailbox) = find(&api, &tenant, id).await?;
    let (trash, now) = (Folder::Deleted, api.clock.now());
    messages::move_to(&api.db, &mailbox.id, &message.id, trash, BY, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn hear(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (message, _) = find(&api, &tenant, id).await?;
    heard(&api, &message.blob, &headers).await
}

/// A sound, or a part of it; a problem if the part lies outside.
pub(super) async fn heard(api: &Api, key: &str, asked: &HeaderMap) -> Result<Response, Problem> {
    let answer = sound::of(&api.blobs, key, asked).await?;
    if answer.status() != StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(answer);
    }
    let problem = Problem::new(Code::Range, "the range lies outside of the recording");
    Err(match answer.headers().get(header::CONTENT_RANGE) {
        Some(range) => problem.with(header::CONTENT_RANGE, range.clone()),
        None => problem,
    })
}

async fn find(api: &Api, tenant: &TenantId, Id(id): Id) -> Result<(Message, Mailbox), Problem> {
    messages::get(&api.db, tenant, &MessageId(id)).await?.ok_or_else(Problem::missing)
}

async fn whole(api: &Api, message: &Message) -> Result<Json<Value>, Problem> {
    let transcript = transcripts::of(&api.db, &message.id).await?;
    let translated = translations::of(&api.db, &message.id).await?;
    let deliveries = deliveries::of(&api.db, &message.id).await?;
    let mut all = shown(message, transcript.as_ref());
    all["segments"] = json!(transcript.map_or_else(Vec::new, |it| it.segments));
    all["translation"] = in_other_words(&translated);
    all["deliveries"] = deliveries.iter().map(delivered).collect();
    Ok(Json(all))
}

fn shown(message: &Message, transcript: Option<&Transcript>) -> Value {
    let it = &message.envelope;
    json!({
        "id": message.id,
        "mailbox": message.mailbox,
        "folder": message.folder,
        "caller_name": it.caller.name,
        "caller_number": it.caller.number,
        "received_at": moment(it.received),
        "duration_ms": u64::try_from(it.length.as_millis()).unwrap_or(u64::MAX),
        "interrupted": it.interrupted,
        "reason": it.reason.as_str(),
        "urgent": message.marks.urgent,
        "pinned": message.marks.pinned,
        "held": message.marks.held,
        "private": message.marks.private,
        "deleted_by": message.deleted_by,
        "copied_from": message.copied_from,
        "forwarded_by": message.forwarded_by,
        "transcription": written(&message.transcription, transcript),
    })
}

fn written(state: &Transcription, transcript: Option<&Transcript>) -> Value {
    let (state, error) = match state {
        Transcription::Off => ("off", None),
        Transcription::Waiting => ("waiting", None),
        Transcription::Done => ("done", None),
        Transcription::Failed(why) => ("failed", Some(why)),
    };
    json!({
        "state": state,
        "error": error,
        "language": transcript.map(|it| &it.language),
        "text": transcript.map(Transcript::text),
        "engine": transcript.map(|it| &it.engine),
    })
}

fn in_other_words(translated: &Translated) -> Value {
    let (state, error, it) = match translated {
        Translated::Off => ("off", None, None),
        Translated::Waiting => ("waiting", None, None),
        Translated::Failed(why) => ("failed", Some(why), None),
        Translated::Done(it) => ("done", None, Some(it)),
    };
    let difference = it.and_then(|it| it.difference.as_ref());
    json!({
        "state": state,
        "error": error,
        "language": it.map(|it| &it.language),
        "text": it.map(|it| &it.text),
        "engine": it.map(|it| &it.engine),
        "numbers_missing": difference.map_or(&[][..], |it| &it.missing),
        "numbers_added": difference.map_or(&[][..], |it| &it.added),
    })
}

fn delivered(delivery: &Delivery) -> Value {
    json!({
        "recipient": delivery.recipient,
        "kind": delivery.kind,
        "state": delivery.state.as_str(),
        "with_audio": delivery.with_audio,
        "attempts": delivery.attempts,
        "reply": delivery.reply,
        "next_try_at": delivery.next_try.map(moment),
    })
}
