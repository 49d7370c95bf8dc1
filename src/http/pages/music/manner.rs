//! How a class is played, as the forms of its page say it: each says a part.

use anyhow::Context;
use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};

use super::{Done, Fields, Pages, Trouble, Visitor, done, find, refused};
use crate::{
    admin,
    music::{Class, Manner},
};

pub(super) async fn set(
    State(pages): State<Pages>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let class = find(&pages, &visitor, &name).await?;
    let change = |it: &mut Class| apply(&mut it.manner, &fields);
    match admin::music::change_class(&pages.api.db, &class.tenant, &class.id, change).await {
        Ok(Some(changed)) => Ok(done(&changed, Done::Saved)),
        Ok(None) => Err(Trouble::Missing),
        Err(error) => refused(&pages, &visitor, Some(&class), error).await,
    }
}

/// Changes what is said, and nothing else.
fn apply(manner: &mut Manner, fields: &Fields) -> anyhow::Result<()> {
    let Manner { enabled, shuffle, shared, stream, announcement, every, queues, .. } = manner;
    for (to, name) in [(enabled, "enabled"), (shuffle, "shuffle"), (shared, "shared")] {
        if let Some(said) = fields.given(name) {
            *to = said == "yes";
        }
    }
    for (to, name) in [(stream, "stream"), (announcement, "announcement")] {
        if let Some(said) = fields.given(name) {
            *to = Some(said.to_owned()).filter(|it| !it.is_empty());
        }
    }
    if let Some(said) = fields.given("every") {
        *every = said.parse().with_context(|| format!("{said:?} is not a number of seconds"))?;
    }
    if let Some(said) = fields.given("queues") {
        let names = said.split([',', ' ']).map(str::trim).filter(|it| !it.is_empty());
        *queues = names.map(str::to_owned).collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_changes_what_it_says_and_nothing_else() {
        let fields = |all: &[(&str, &str)]| {
            Fields::from(
                all.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>(),
            )
        };
        let mut manner = Manner::default();
        apply(&mut manner, &fields(&[("shuffle", "yes")])).unwrap();
        assert_eq!(manner, Manner { shuffle: true, ..Manner::default() });
        let both = fields(&[("announcement", "patience"), ("every", "90"), ("enabled", "no")]);
        apply(&mut manner, &both).unwrap();
        apply(&mut manner, &fields(&[("queues", "sales, support,")])).unwrap();
        assert_eq!((manner.announcement.as_deref(), manner.every), (Some("patience"), 90));
        assert_eq!((manner.enabled, manner.queues.len()), (false, 2));
        apply(&mut manner, &fields(&[("announcement", ""), ("queues", "")])).unwrap();
        assert_eq!((manner.announcement, manner.queues.len()), (None, 0));
        assert!(apply(&mut Manner::default(), &fields(&[("every", "soon")])).is_err());
    }
}
