//! What messages look like, for the description.

use serde_json::{Value, json};

use crate::http::api::description::{object, whole};

pub(in crate::http::api) fn schemas() -> Vec<(&'static str, Value)> {
    let flag = json!({ "type": "boolean" });
    let folder = json!({ "type": "string", "enum": ["new", "saved", "deleted"] });
    let mut message = json!({
        "id": { "type": "string", "format": "uuid" },
        "mailbox": { "type": "string", "format": "uuid" },
        "folder": folder,
        "caller_name": maybe(),
        "caller_number": maybe(),
        "received_at": { "type": "string", "format": "date-time" },
        "duration_ms": { "type": "integer", "minimum": 0 },
        "interrupted": flag,
        "reason": { "type": "string", "description": "Why the call came to the mailbox." },
        "urgent": flag,
        "pinned": flag,
        "held": flag,
        "private": flag,
        "deleted_by": maybe(),
        "copied_from": { "type": ["string", "null"], "format": "uuid",
            "description": "The message it is a copy of, which may be gone." },
        "forwarded_by": { "type": ["string", "null"], "format": "uuid",
            "description": "The mailbox whose owner passed it on." },
        "transcription": transcription(),
    });
    let listed = whole(message.clone());
    let number = json!({ "type": "integer", "minimum": 0 });
    message["segments"] = list(whole(json!({
        "start_ms": number, "end_ms": number, "text": text(), "confidence": { "type": "number" },
    })));
    message["translation"] = translation();
    message["deliveries"] = list(delivery());
    let patch = json!({
        "folder": folder, "urgent": flag, "pinned": flag, "held": flag, "private": flag,
    });
    vec![
        ("Message", listed),
        ("WholeMessage", whole(message)),
        ("MessagePatch", object::<&str>(&[], patch)),
    ]
}

fn transcription() -> Value {
    whole(json!({
        "state": { "type": "string", "enum": ["off", "waiting", "done", "failed"] },
        "error": maybe(), "language": maybe(), "text": maybe(), "engine": maybe(),
    }))
}

fn translation() -> Value {
    let mut it = transcription()["properties"].take();
    it["numbers_missing"] = list(text());
    it["numbers_added"] = list(text());
    whole(it)
}

fn delivery() -> Value {
    let states = ["queued", "accepted", "deferred", "failed", "bounced"];
    whole(json!({
        "recipient": text(),
        "kind": { "type": "string", "enum": ["full", "short"] },
        "state": { "type": "string", "enum": states },
        "with_audio": { "type": "boolean" },
        "attempts": { "type": "integer", "minimum": 0 },
        "reply": maybe(),
        "next_try_at": { "type": ["string", "null"], "format": "date-time" },
    }))
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn maybe() -> Value {
    json!({ "type": ["string", "null"] })
}

fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}
