//! What the pages look like: templates, and what every one of them is told.

use std::sync::LazyLock;

use axum::response::Html;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::session::Visitor;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [
        ("page.html", include_str!("../../../assets/pages/page.html")),
        ("login.html", include_str!("../../../assets/pages/login.html")),
        ("music.html", include_str!("../../../assets/pages/music.html")),
        ("track.html", include_str!("../../../assets/pages/track.html")),
        ("icons.html", include_str!("../../../assets/pages/icons.html")),
        ("trouble.html", include_str!("../../../assets/pages/trouble.html")),
    ] {
        templates.add_template(name, source).expect("a template of ours, read by a test");
    }
    templates
});

/// A page, of a template and facts.
pub(super) fn page(name: &str, facts: Value) -> anyhow::Result<Html<String>> {
    Ok(Html(TEMPLATES.get_template(name)?.render(facts)?))
}

/// What is wrong, as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// What a page tells of whom it is shown to.
pub(super) fn visitor(visitor: &Visitor) -> Value {
    context! {
        name => &visitor.person.name,
        email => &visitor.person.email,
        tenant => &visitor.tenant.name,
        token => &visitor.token,
    }
}
