//! The description of the API, made of the list of its operations (OpenAPI 3.1).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    ROOT, announcements, files, greetings, jobs, lamps, mailboxes, messages, music, names,
    operation::{Answer, Body, Operation},
    problem, recording, settings, tenants, tracks, uploads, users,
};
use crate::mailbox::greeting::Kind;

/// The whole of it.
pub(super) fn of(operations: &[Operation]) -> Value {
    let mut paths = Map::from_iter([("/openapi.json".to_owned(), json!({ "get": itself() }))]);
    for it in operations {
        let method = it.method.as_str().to_ascii_lowercase();
        paths.entry(it.path).or_insert_with(|| json!({}))[method] = operation(it);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Afterbeep",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Voicemail: mailboxes, messages, greetings.",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": ROOT }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": "Made with `afterbeep token add`.",
            }},
            "responses": refusals(operations),
            "schemas": schemas(),
        },
    })
}

fn schemas() -> Map<String, Value> {
    let mut all = Map::from_iter([("Problem".to_owned(), problem::schema())]);
    let some = [
        settings::schemas().to_vec(),
        tenants::schemas(),
        users::schemas(),
        mailboxes::schemas(),
        messages::schemas(),
        greetings::schemas(),
        names::schemas(),
        recording::schemas(),
        jobs::schemas(),
        lamps::schemas(),
        music::schemas(),
        tracks::schemas(),
        uploads::schemas(),
        announcements::schemas(),
    ];
    all.extend(some.into_iter().flatten().map(|(name, schema)| (name.to_owned(), schema)));
    all
}

/// What answers this, which needs no token.
fn itself() -> Value {
    json!({
        "operationId": "describe",
        "summary": "This description.",
        "security": [],
        "responses": { "200": {
            "description": "OpenAPI 3.1.",
            "content": { "application/json": { "schema": { "type": "object" } } },
        }},
    })
}

fn operation(it: &Operation) -> Value {
    let mut described = json!({
        "operationId": it.id,
        "summary": it.summary,
        "description": format!("For tokens with the scope `{}`.", it.scope),
        "parameters": parameters(it),
        "responses": responses(it),
    });
    if let Some(body) = it.body {
        described["requestBody"] = json!({ "required": true, "content": content(body) });
    }
    described
}

fn content(body: Body) -> Value {
    match body {
        Body::Json(name) => json!({ "application/json": { "schema": reference(name) } }),
        Body::Recording => sounds(as_json(reference("Script"))),
        Body::Sound => sounds(json!({ "multipart/form-data": { "schema": files::schema() } })),
        Body::Piece => json!({ uploads::PIECE: sound() }),
    }
}

/// The same, or a sound file.
fn sounds(mut content: Value) -> Value {
    for kind in recording::KINDS {
        content[kind] = sound();
    }
    content
}

fn sound() -> Value {
    json!({ "schema": { "type": "string", "format": "binary" } })
}

fn parameters(it: &Operation) -> Vec<Value> {
    let of_path = it.path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<_> = of_path
        .map(|name| {
            let schema = match name {
                "kind" => json!({ "type": "string", "enum": Kind::ALL.map(Kind::as_str) }),
                "job" => json!({ "type": "string" }),
                "name" => json!({ "type": "string", "pattern": "^[a-z0-9_.-]{1,64}$" }),
                _ => json!({ "type": "string", "format": "uuid" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    let more = |name: &str, place: &str, what: &str, schema: &Value| json!({ "name": name, "in": place, "description": what, "schema": schema });
    all.extend(it.query.iter().map(|it| more(it.name, "query", it.what, &it.schema)));
    all.extend(it.headers.iter().map(|it| {
        let mut header = more(it.name, "header", it.what, &it.schema);
        header["required"] = it.required.into();
        header
    }));
    let text = json!({ "type": "string" });
    if it.of_tenant {
        let what = "Whose things, by name or id; needed with a token for every tenant.";
        all.push(more("tenant", "query", what, &text));
        all.push(more("Tenant", "header", "The same as `tenant`.", &text));
    }
    if it.conditional {
        let what = "Do it only if this is still its `ETag`.";
        all.push(more("If-Match", "header", what, &text));
    }
    if it.answers.contains(&Answer::Sound) {
        all.push(more("Range", "header", "The part that is wanted, in bytes.", &text));
    }
    all
}

fn responses(it: &Operation) -> Map<String, Value> {
    let mut all = Map::new();
    for answer in &it.answers {
        match *answer {
            Answer::One(status, name) => {
                let mut told =
                    json!({ "description": "Done.", "content": as_json(reference(name)) });
                if it.conditional || it.id == "getMailbox" {
                    told["headers"] = header("ETag");
                }
                all.insert(status.to_string(), told);
            }
            Answer::Made(name) => {
                let content = as_json(reference(name));
                let headers = header("Location");
                let told =
                    json!({ "description": "Made.", "content": content, "headers": headers });
                all.insert("201".into(), told);
            }
            Answer::List(name) => {
                let told = json!({ "description": "A page.", "content": as_json(page(name)) });
                all.insert("200".into(), told);
            }
            Answer::Nothing(status) => {
                all.insert(status.to_string(), json!({ "description": "Done." }));
            }
            Answer::Offset => {
                let told = json!({ "description": "Done.", "headers": uploads::told() });
                all.insert("204".into(), told);
            }
            Answer::Sound => {
                let content = json!({ "audio/wav": sound() });
                for (status, what) in [("200", "All of it."), ("206", "A part of it.")] {
                    all.insert(status.into(), json!({ "description": what, "content": content }));
                }
            }
        }
    }
    for status in it.refusals() {
        all.insert(status.to_string(), json!({ "$ref": refusal(status) }));
    }
    all
}

/// Where what is said of a refusal of this status stands, once for all operations.
fn refusal(status: u16) -> String {
    format!("#/components/responses/Refusal{status}")
}

fn refusals(operations: &[Operation]) -> Map<String, Value> {
    let all: BTreeSet<_> = operations.iter().flat_map(Operation::refusals).collect();
    let content = json!({ "application/problem+json": { "schema": reference("Problem") } });
    let told = |it| json!({ "description": why(it), "content": content });
    all.into_iter().map(|it| (format!("Refusal{it}"), told(it))).collect()
}

/// What a refusal of this status means, whichever operation it comes from.
fn why(status: u16) -> &'static str {
    match status {
        400 => "A parameter or the JSON cannot be read, or it is not said which tenant is meant.",
        401 => "No token, or none that is good.",
        403 => "The token is not for this.",
        404 => "It is not there, or another tenant's.",
        408 => "The body took too long to come.",
        409 => "It is taken, in use, full, or being changed by somebody else.",
        412 => "It was changed meanwhile.",
        413 => "The body is too large.",
        415 => "The body is of another type.",
        416 => "The range lies outside of it.",
        422 => "Something in the body cannot be; `errors` says what and where.",
        _ => "Not now; try again in a moment.",
    }
}

fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": { "type": "array", "items": reference(name) },
            "next_cursor": { "type": ["string", "null"] },
        },
        "additionalProperties": false,
    })
}

fn as_json(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn header(name: &str) -> Value {
    json!({ name: { "schema": { "type": "string" } } })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A schema of an object that has these fields, all of them, and no others.
pub(super) fn whole(properties: Value) -> Value {
    let names: Vec<_> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    object(&names, properties)
}

/// A schema of an object that may have these fields and must have those named.
pub(super) fn object<T: AsRef<str>>(required: &[T], properties: Value) -> Value {
    let required: Vec<_> = required.iter().map(AsRef::as_ref).collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}
