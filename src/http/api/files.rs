//! Files of hold music as they are sent at once: a body that is the file, or a form with it.

use axum::{body::Bytes, extract::Request};
use serde_json::{Value, json};

use super::{
    access::Asked,
    description::object,
    operation::Parameter,
    problem::{Code, Fault, Problem},
    recording,
};
use crate::{
    admin::music::{LONGEST_NOTE, Sent},
    http::form::{self, Form, Part, Unfit},
};

/// What people may say of a track.
const NAME: &str = "name";
const DESCRIPTION: &str = "description";
const LICENCE: &str = "licence";
/// The file itself in a form; else what it is called.
const FILE: &str = "file";

/// What may stand behind the `?` where a file is sent.
pub(super) fn parameters() -> [Parameter; 4] {
    let text = |longest: usize| json!({ "type": "string", "maxLength": longest });
    let parameter = |name, what, schema| Parameter { name, what, schema, required: false };
    [
        parameter(
            FILE,
            "What the file is called; tells what it is where it has no header.",
            text(255),
        ),
        parameter(NAME, "What people call it; otherwise the file's name.", text(100)),
        parameter(DESCRIPTION, "What else there is to say about it.", text(LONGEST_NOTE)),
        parameter(LICENCE, "Under which terms it may be played.", text(LONGEST_NOTE)),
    ]
}

/// A form with a file, for the description.
pub(super) fn schema() -> Value {
    let text = |longest: usize| json!({ "type": "string", "maxLength": longest });
    let fields = json!({
        FILE: { "type": "string", "format": "binary" },
        NAME: text(100),
        DESCRIPTION: text(LONGEST_NOTE),
        LICENCE: text(LONGEST_NOTE),
    });
    object(&[FILE], fields)
}

/// What is said of a file behind the `?`.
pub(super) fn said(asked: &Asked) -> Sent {
    let text = |name| asked.one(name).unwrap_or_default().to_owned();
    Sent {
        file: asked.one(FILE).unwrap_or("a file").to_owned(),
        name: asked.one(NAME).map(str::to_owned),
        description: text(DESCRIPTION),
        licence: text(LICENCE),
    }
}

/// A file, and what is said of it. What a form says goes before what stands behind the `?`.
pub(super) async fn received(request: Request, asked: &Asked) -> Result<(Sent, Bytes), Problem> {
    let mut sent = said(asked);
    if !form::is_form(request.headers()) {
        return Ok((sent, recording::music(request).await?));
    }
    let unread = || Problem::new(Code::Malformed, "the form says no boundary that parts have");
    let mut form = Form::of(request, &()).await.ok_or_else(unread)?;
    let (mut file, mut seen) = (None, Vec::new());
    while let Some(part) = form.next().await? {
        let name = match &part {
            Part::Text(name, _) => name.clone(),
            Part::File(coming) => coming.field().to_owned(),
        };
        if seen.contains(&name) {
            return Err(wrong(&name, "this is there twice"));
        }
        match (name.as_str(), part) {
            (FILE, Part::File(coming)) => {
                let come = coming.arrive().await?;
                if !come.name.is_empty() {
                    sent.file.clone_from(&come.name);
                }
                file = Some(come.bytes);
            }
            (NAME, Part::Text(_, text)) => sent.name = Some(text),
            (DESCRIPTION, Part::Text(_, text)) => sent.description = text,
            (LICENCE, Part::Text(_, text)) => sent.licence = text,
            (FILE, _) => return Err(wrong(&name, "this has to be a file, with a file name")),
            (NAME | DESCRIPTION | LICENCE, _) => return Err(wrong(&name, "this has to be text")),
            _ => return Err(wrong(&name, "there is no field of this name")),
        }
        seen.push(name);
    }
    Ok((sent, file.ok_or_else(|| wrong(FILE, "this is missing"))?))
}

fn wrong(field: &str, detail: &str) -> Problem {
    let escaped = field.replace('~', "~0").replace('/', "~1");
    Problem::invalid(vec![Fault { pointer: format!("/{escaped}"), detail: detail.to_owned() }])
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        let code = match unfit {
            Unfit::Slow => Code::TooSlow,
            Unfit::TooLarge | Unfit::TooLong => Code::TooLarge,
            Unfit::Broken => Code::Malformed,
        };
        Self::new(code, unfit.to_string())
    }
}
