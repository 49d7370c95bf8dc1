//! Answers to requests, and what every one of them says of us. Nothing names the program or its
//! version: that would only help those who look for old ones.

use bytes::Bytes;
use sipx_sip::{
    Header, HeaderName, Headers, Method, Request, Response, ResponseBuilder, StatusCode,
};

/// Methods we hear.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY, SUBSCRIBE";
/// Extensions we speak: `History-Info` is understood, and sent back as RFC 7044 wants it; reliable
/// provisional answers; session timers.
pub(super) const SUPPORTED: &str = "histinfo, 100rel, timer";
/// The body of a call.
pub(super) const SDP: &str = "application/sdp";

/// What is said when a call or request is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 404: no mailbox of that number.
    NotFound,
    /// 486.
    Busy,
    /// 403: not for this caller.
    Forbidden,
    /// 488: nothing both sides speak.
    NotAcceptable,
    /// 480: not now.
    TemporarilyUnavailable,
    /// 503: the whole server, for about so many seconds.
    Unavailable {
        /// When to ask again, in seconds.
        retry_after: u32,
    },
    /// 500: a fault on our side.
    Failed,
}

/// An answer without a body; `None` for a request that cannot be answered at all.
pub(super) fn reply(request: &Request, code: u16, tag: &str) -> Option<Response> {
    let status = StatusCode::new(code)?;
    let mut response = ResponseBuilder::to_request(request, status, reason(code)).ok()?.build();
    let to = response.headers.value(&HeaderName::To)?.into_owned();
    if code > 100 && !is_tagged(&to) {
        let tagged = [&to, &b";tag="[..], tag.as_bytes()].concat();
        let header = Header::build(HeaderName::To, tagged).ok()?;
        let place = response.headers.iter().position(|it| it.name() == &HeaderName::To);
        response.headers.remove_all(&HeaderName::To);
        response.headers.insert(place?, header);
    }
    Some(response)
}

/// An answer that makes a dialog: whoever wants to see its requests is named in it (RFC 3261 §12.1.1).
pub(super) fn opening(request: &Request, code: u16, tag: &str) -> Option<Response> {
    let mut response = reply(request, code, tag)?;
    for route in request.headers.get_all(&HeaderName::RecordRoute) {
        response = with(response, HeaderName::RecordRoute, route.value().into_owned());
    }
    Some(response)
}

/// Adds a header; a value of our own making that no header may have is left out.
pub(super) fn with(mut response: Response, name: HeaderName, value: impl Into<Bytes>) -> Response {
    add(&mut response.headers, name, value);
    response
}

/// The same for the headers of any message.
pub(super) fn add(headers: &mut Headers, name: HeaderName, value: impl Into<Bytes>) {
    if let Ok(header) = Header::build(name, value) {
        // Content-Length stays last.
        let at = headers.len().saturating_sub(1);
        headers.insert(at, header);
    }
}

/// Adds a session description.
pub(super) fn with_sdp(mut response: Response, sdp: &str) -> Response {
    describe(&mut response.headers, sdp);
    response.set_body(Bytes::from(sdp.to_owned()));
    response
}

/// What the headers of a message say of its session description.
pub(super) fn describe(headers: &mut Headers, sdp: &str) {
    label(headers, SDP, sdp);
}

/// What the headers of a message say of its body.
pub(super) fn label(headers: &mut Headers, kind: &'static str, body: &str) {
    add(headers, HeaderName::ContentType, kind);
    headers.remove_all(&HeaderName::ContentLength);
    if let Ok(length) = Header::build(HeaderName::ContentLength, body.len().to_string()) {
        headers.push(length);
    }
}

/// Adds what a phone asks `OPTIONS` for, and wants to know of every call.
pub(super) fn with_abilities(response: Response) -> Response {
    let response = with(response, HeaderName::Allow, ALLOW);
    let response = with(response, HeaderName::Supported, SUPPORTED);
    with(response, HeaderName::Accept, SDP)
}

/// The answer that refuses a call.
pub(super) fn refuse(request: &Request, refusal: &Refusal, tag: &str) -> Option<Response> {
    let code = match refusal {
        Refusal::NotFound => 404,
        Refusal::Busy => 486,
        Refusal::Forbidden => 403,
        Refusal::NotAcceptable => 488,
        Refusal::TemporarilyUnavailable => 480,
        Refusal::Unavailable { .. } => 503,
        Refusal::Failed => 500,
    };
    let response = reply(request, code, tag)?;
    Some(match refusal {
        Refusal::Unavailable { retry_after } => {
            with(response, HeaderName::RetryAfter, retry_after.to_string())
        }
        _ => response,
    })
}

/// A tag nobody can guess.
pub(super) fn new_tag() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Whether we hear this method at all.
pub(super) fn is_allowed(method: &Method) -> bool {
    use Method::{Ack, Bye, Cancel, Info, Invite, Notify, Options, Prack, Subscribe, Update};
    let of_calls = matches!(method, Invite | Ack | Cancel | Bye | Info | Update | Prack | Notify);
    of_calls || matches!(method, Options | Subscribe)
}

fn is_tagged(to: &[u8]) -> bool {
    // Only what follows the address counts: a user part may well contain `;tag=`.
    let parameters = to.iter().rposition(|it| *it == b'>').map_or(to, |at| &to[at..]);
    parameters.to_ascii_lowercase().windows(5).any(|it| it == b";tag=")
}

fn reason(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        183 => "Session Progress",
        200 => "OK",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        _ => "Server Internal Error",
    }
}
