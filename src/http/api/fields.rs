//! The fields of a request's body: each is asked for by name, and at the end what was wrong with
//! all of them is told at once, with what nobody asked for.

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde_json::{Map, Value};

use super::{
    Api,
    problem::{Code, Fault, Problem},
};
use crate::admin::check;

/// Longest body, in bytes.
const LONGEST: usize = 64 * 1024;

/// As many things that are wrong are told at once.
const MOST_FAULTS: usize = 20;

/// What was sent and not asked for yet.
#[derive(Clone)]
pub(super) struct Fields {
    left: Map<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl FromRequest<Api> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Code::MediaType, "the body has to be application/json"));
        }
        let too_large = |_| Problem::new(Code::TooLarge, "the body has more than 64 KiB");
        let bytes = to_bytes(request.into_body(), LONGEST).await.map_err(too_large)?;
        let malformed = |error| Problem::new(Code::Malformed, format!("this is no JSON: {error}"));
        let fault = Fault { pointer: String::new(), detail: "this has to be an object".into() };
        match serde_json::from_slice(&bytes).map_err(malformed)? {
            Value::Object(left) => Ok(Self { left, known: Vec::new(), faults: Vec::new() }),
            _ => Err(Problem::invalid(vec![fault])),
        }
    }
}

/// Whether the body says that it is JSON, of which a merge patch is a kind (RFC 7396).
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|it| kind.eq_ignore_ascii_case(it))
}

impl Fields {
    /// Text that passes a check, if it is there.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> anyhow::Result<()>,
    ) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => self.passed(name, text, check),
            _ => self.fault(name, "this has to be text"),
        }
    }

    /// The same, where `null` says that there is none.
    pub(super) fn text_or_null(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> anyhow::Result<()>,
    ) -> Option<Option<String>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::String(text) => self.passed(name, text, check).map(Some),
            _ => self.fault(name, "this has to be text or null"),
        }
    }

    /// Text that has to be there; what is answered without it is of no use once [`Fields::done`]
    /// has been asked.
    pub(super) fn needed(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> anyhow::Result<()>,
    ) -> String {
        if !self.left.contains_key(name) {
            self.fault::<()>(name, "this is missing");
        }
        self.text(name, check).unwrap_or_default()
    }

    /// A decision, if it is there.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(it) => Some(it),
            _ => self.fault(name, "this has to be true or false"),
        }
    }

    /// A whole number within limits, if it is there.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        within: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = self.take(name)?.as_u64().and_then(|it| u32::try_from(it).ok());
        let (least, most) = (within.start(), within.end());
        match number.filter(|it| within.contains(it)) {
            Some(number) => Some(number),
            None => self.fault(name, format!("this has to be a number from {least} to {most}")),
        }
    }

    /// A list of texts, if it is there.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        match serde_json::from_value(self.take(name)?) {
            Ok(texts) => Some(texts),
            Err(_) => self.fault(name, "this has to be a list of texts"),
        }
    }

    /// The same where it has to be there.
    pub(super) fn needed_texts(&mut self, name: &'static str) -> Vec<String> {
        if !self.left.contains_key(name) {
            self.fault::<()>(name, "this is missing");
        }
        self.texts(name).unwrap_or_default()
    }

    /// An object, if it is there.
    pub(super) fn object(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(it) => Some(it),
            _ => self.fault(name, "this has to be an object"),
        }
    }

    /// Notes that something is wrong at a place, told as in a JSON pointer but for its beginning.
    pub(super) fn fault<T>(&mut self, place: &str, detail: impl Into<String>) -> Option<T> {
        self.faults.push(Fault { pointer: format!("/{place}"), detail: detail.into() });
        None
    }

    /// Whether everything was right, and asked for.
    pub(super) fn done(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.left).keys() {
            let meant = check::meant(name, self.known.iter().copied());
            self.unknown("", name, &meant);
        }
        self.faults.truncate(MOST_FAULTS);
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(self.faults)) }
    }

    /// Notes a field that there is not.
    pub(super) fn unknown(&mut self, inside: &str, name: &str, meant: &str) {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let detail = format!("there is no field {name:?}{meant}");
        self.fault::<()>(&format!("{inside}{escaped}"), detail);
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.remove(name)
    }

    fn passed(
        &mut self,
        name: &str,
        text: String,
        check: impl Fn(&str) -> anyhow::Result<()>,
    ) -> Option<String> {
        match check(&text) {
            Ok(()) => Some(text),
            Err(error) => self.fault(name, format!("{error:#}")),
        }
    }
}
