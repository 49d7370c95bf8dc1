//! Forms of other people's pages change nothing here, whoever is logged in.

use axum::{
    extract::Request,
    http::{HeaderMap, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Trouble;

/// Lets through what only asks, and what comes from our own pages.
pub(super) async fn ours(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_ours(request.headers()) {
        return next.run(request).await;
    }
    Trouble::Refused(
        "It came from another page than ours. If you did come from here, a proxy before this server \
         may be changing the Host header; it has to pass it on.",
    )
    .into_response()
}

/// Browsers say where a form comes from: in words where the way here is trusted, else by its origin.
/// What says neither is no browser, and has no cookies but those it was given.
fn is_ours(headers: &HeaderMap) -> bool {
    let told = |name| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    match (told("sec-fetch-site"), told("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
        (None, Some(origin)) => {
            let origin = origin.parse::<Uri>().ok();
            let theirs = origin.as_ref().and_then(|it| it.authority()).map(|it| it.as_str());
            theirs.is_some() && theirs == told(header::HOST.as_str())
        }
    }
}

/// Whether the browser speaks `https`, with us or with a proxy before us. Who lies about that changes
/// nothing but their own cookie.
pub(super) fn is_secret(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| {
        headers.get(name).and_then(|it| it.to_str().ok()).is_some_and(|it| it.starts_with(word))
    };
    says("x-forwarded-proto", "https") || says("origin", "https://")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_form_is_ours_if_the_browser_says_so() {
        for (headers, ours) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://here:8080")], false),
            (&[("origin", "http://here:8080")], true),
            (&[("origin", "https://here:8080")], true),
            (&[("origin", "http://here")], false),
            (&[("origin", "http://elsewhere:8080")], false),
            (&[("origin", "null")], false),
            (&[("origin", "")], false),
        ] {
            let mut all = HeaderMap::new();
            all.insert(header::HOST, HeaderValue::from_static("here:8080"));
            for (name, value) in headers {
                all.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(is_ours(&all), ours, "{headers:?}");
        }
    }
}
