//! What the API answers when it does not do what was asked (RFC 9457).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    blobs::BlobError,
    store::{StoreError, tokens::Scope},
};

/// Why, for programs to decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Malformed,
    BadParameter,
    TenantNeeded,
    Unauthorized,
    ScopeMissing,
    PlatformOnly,
    Missing,
    Method,
    TooSlow,
    Taken,
    InUse,
    AtWork,
    Full,
    Contended,
    Offset,
    Changed,
    TooLarge,
    MediaType,
    Range,
    Invalid,
    Broken,
    Away,
}

/// Something wrong in what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where (RFC 6901).
    pub(super) pointer: String,
    pub(super) detail: String,
}

/// An answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    code: Code,
    detail: String,
    faults: Vec<Fault>,
    /// A header that goes with it, besides those that go with its code.
    header: Option<Box<(header::HeaderName, HeaderValue)>>,
    /// Where a piece of a file was to begin, and where it would have.
    offsets: Option<(u64, u64)>,
}

impl Code {
    /// The word, and the status that goes with it.
    fn told(self) -> (&'static str, StatusCode) {
        match self {
            Self::Malformed => ("malformed", StatusCode::BAD_REQUEST),
            Self::BadParameter => ("bad_parameter", StatusCode::BAD_REQUEST),
            Self::TenantNeeded => ("tenant_needed", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED),
            Self::ScopeMissing => ("scope_missing", StatusCode::FORBIDDEN),
            Self::PlatformOnly => ("platform_only", StatusCode::FORBIDDEN),
            Self::Missing => ("not_found", StatusCode::NOT_FOUND),
            Self::Method => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::TooSlow => ("too_slow", StatusCode::REQUEST_TIMEOUT),
            Self::Taken => ("taken", StatusCode::CONFLICT),
            Self::InUse => ("in_use", StatusCode::CONFLICT),
            Self::AtWork => ("at_work", StatusCode::CONFLICT),
            Self::Full => ("full", StatusCode::CONFLICT),
            Self::Contended => ("contended", StatusCode::CONFLICT),
            Self::Offset => ("offset", StatusCode::CONFLICT),
            Self::Changed => ("changed", StatusCode::PRECONDITION_FAILED),
            Self::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::MediaType => ("media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::Range => ("range", StatusCode::RANGE_NOT_SATISFIABLE),
            Self::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Broken => ("broken", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Away => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), faults: Vec::new(), header: None, offsets: None }
    }

    /// The one answer about what is not there, was removed, or is another tenant's.
    pub(super) fn missing() -> Self {
        Self::new(Code::Missing, "there is nothing of this id here")
    }

    /// The one answer to whoever shows no token that is good.
    pub(super) fn unauthorized() -> Self {
        let detail = "this needs a token that is good, as Authorization: Bearer ab_...";
        let asked = HeaderValue::from_static("Bearer realm=\"afterbeep\"");
        Self::new(Code::Unauthorized, detail).with(header::WWW_AUTHENTICATE, asked)
    }

    pub(super) fn scope_missing(scope: Scope) -> Self {
        Self::new(Code::ScopeMissing, format!("the token is not for {scope}"))
    }

    pub(super) fn invalid(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => one.detail.clone(),
            _ => "several things are wrong".to_owned(),
        };
        Self { faults, ..Self::new(Code::Invalid, detail) }
    }

    /// A piece of a file does not begin where the last one ended.
    pub(super) fn elsewhere(expected: u64, provided: u64) -> Self {
        let detail = format!("{expected} bytes are here, so the next part begins there");
        let problem = Self::new(Code::Offset, detail);
        let problem = Self { offsets: Some((expected, provided)), ..problem };
        problem.with(header::HeaderName::from_static("upload-offset"), expected.into())
    }

    /// It needs this header to be understood.
    pub(super) fn with(self, name: header::HeaderName, value: HeaderValue) -> Self {
        Self { header: Some(Box::new((name, value))), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status) = self.code.told();
        let fault = |it: &Fault| json!({ "pointer": it.pointer, "detail": it.detail });
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": code,
            "detail": self.detail,
            "errors": self.faults.iter().map(fault).collect::<Vec<_>>(),
        });
        if let Some((expected, provided)) = self.offsets {
            body["expected-offset"] = expected.into();
            body["provided-offset"] = provided.into();
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut answer = (status, kind, body.to_string()).into_response();
        if let Some((name, value)) = self.header.map(|it| *it) {
            answer.headers_mut().insert(name, value);
        }
        if self.code == Code::Away {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        answer
    }
}

/// What a [`Problem`] looks like, for the description.
pub(super) fn schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "errors"],
        "properties": {
            "type": text, "title": text, "code": text, "detail": text,
            "status": { "type": "integer" },
            "expected-offset": { "type": "integer" },
            "provided-offset": { "type": "integer" },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": { "pointer": text, "detail": text },
            }},
        },
    })
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Taken { .. } => Self::new(Code::Taken, error.to_string()),
            StoreError::TooMany { .. } => Self::new(Code::Full, error.to_string()),
            StoreError::InUse { .. } => Self::new(Code::InUse, error.to_string()),
            _ if error.is_temporary() => away(&error),
            _ => broken(&error),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match &error {
            BlobError::Missing(_) => Self::missing(),
            _ if error.is_temporary() => away(&error),
            _ => broken(&error),
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<StoreError>() {
            Ok(error) => return error.into(),
            Err(error) => error,
        };
        error.downcast::<BlobError>().map_or_else(|it| broken(it.as_ref()), Self::from)
    }
}

fn away(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::warn!(error, "a request of the API cannot be served now");
    Problem::new(Code::Away, "this cannot be done now; try again in a moment")
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "a request of the API failed");
    Problem::new(Code::Broken, "the server failed; its log says why")
}
