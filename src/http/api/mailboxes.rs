//! Mailboxes of a tenant, what they set themselves, and what applies to them.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Api, ROOT,
    access::{Asked, At},
    description::{object, whole},
    fields::Fields,
    operation::{Answer, Body, Operation},
    page::Page,
    path::Id,
    problem::{Code, Problem},
    settings,
};
use crate::{
    admin::{self, check},
    mailbox::{Folder, MailboxId, Settings, TenantId, UserId},
    store::{
        mailboxes::{self, Entry, Told},
        messages,
        people::{self, Person},
        tenants,
        tokens::{self, Scope},
    },
};

/// How often a change is tried anew when others change the same mailbox at the same moment.
const TRIES: usize = 5;

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/mailboxes";
    const ONE: &str = "/mailboxes/{mailbox}";
    let scope = Scope::Mailboxes;
    let flag = json!({ "type": "boolean" });
    vec![
        Operation::new(
            (Method::GET, ALL),
            ("listMailboxes", "All mailboxes, by number."),
            scope,
            list,
        )
        .lists("Mailbox"),
        Operation::new((Method::POST, ALL), ("addMailbox", "Add a mailbox."), scope, add)
            .takes(Body::Json("NewMailbox"))
            .answers(Answer::Made("Mailbox"))
            .refuses(409),
        Operation::new((Method::GET, ONE), ("getMailbox", "One mailbox."), scope, show)
            .answers(Answer::One(200, "Mailbox")),
        Operation::new((Method::PATCH, ONE), ("changeMailbox", "Change it."), scope, change)
            .conditional()
            .takes(Body::Json("MailboxPatch"))
            .answers(Answer::One(200, "Mailbox"))
            .refuses(409),
        Operation::new((Method::DELETE, ONE), ("removeMailbox", "Remove it."), scope, remove)
            .asks("with_messages", "Remove the messages in it too, for good.", flag)
            .answers(Answer::Nothing(204))
            .refuses(409),
        Operation::new(
            (Method::GET, "/mailboxes/{mailbox}/effective-settings"),
            ("getMailboxSettings", "Every setting that applies to it, and who sets it."),
            scope,
            effective,
        )
        .answers(Answer::One(200, "EffectiveSettings")),
        Operation::new(
            (Method::GET, "/mailboxes/{mailbox}/usage"),
            ("getMailboxUsage", "How many messages lie in it."),
            scope,
            usage,
        )
        .answers(Answer::One(200, "Usage")),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let id = json!({ "type": "string", "format": "uuid" });
    let number = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" });
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 100 });
    let owner = json!({
        "type": ["string", "null"], "format": "uuid", "description": "The id of a user.",
    });
    let settings = json!({ "$ref": "#/components/schemas/Settings" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let mut usage = json!({ "limit": count });
    for folder in Folder::ALL {
        usage[folder.as_str()] = count.clone();
    }
    let shown = json!({
        "id": id, "number": number, "name": name, "owner": owner, "settings": settings,
    });
    let new = json!({ "number": number, "name": name, "owner": owner, "settings": settings });
    let patch = json!({ "name": name, "owner": owner, "settings": settings });
    vec![
        ("Mailbox", whole(shown)),
        ("NewMailbox", object(&["number"], new)),
        ("MailboxPatch", object::<&str>(&[], patch)),
        ("Usage", whole(usage)),
    ]
}

fn shown(told: &Told) -> Value {
    let Told { id, number, entry: Entry { name, owner, settings } } = told;
    json!({ "id": id, "number": number, "name": name, "owner": owner, "settings": settings })
}

/// What changes whenever anything that is shown does (RFC 9110 §8.8.3).
fn tag(shown: &Value) -> String {
    format!("\"{}\"", &tokens::fingerprint(&shown.to_string())[..32])
}

fn answer(told: &Told) -> Response {
    let shown = shown(told);
    ([(header::ETAG, tag(&shown))], Json(shown)).into_response()
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
) -> Result<Json<Value>, Problem> {
    let page = Page::of(&asked)?;
    let rows = mailboxes::page(&api.db, &tenant, &page.after, page.fetch()).await?;
    Ok(page.of_rows(rows, |it| it.number.clone(), shown))
}

async fn add(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    mut fields: Fields,
) -> Result<impl IntoResponse, Problem> {
    let number = fields.needed("number", check::number);
    let name = fields.text("name", check::name);
    let owner = owner(&api, &tenant, &mut fields).await?.flatten();
    let mut settings = Settings::default();
    settings::patch(&mut fields, &mut settings);
    fields.done()?;
    let name = name.or_else(|| owner.as_ref().map(|it| it.name.clone()));
    let name = name.unwrap_or_else(|| number.clone());
    let entry = Entry { name, owner: owner.map(|it| it.id), settings };
    let id = MailboxId(api.clock.message_id().to_string());
    mailboxes::add(&api.db, &tenant, &id, &number, &entry, api.clock.now()).await?;
    let place = [(header::LOCATION, format!("{ROOT}/mailboxes/{id}"))];
    Ok((StatusCode::CREATED, place, answer(&Told { id, number, entry })))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
) -> Result<Response, Problem> {
    Ok(answer(&find(&api, &tenant, id).await?))
}

async fn change(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    for _ in 0..TRIES {
        let mut told = find(&api, &tenant, id).await?;
        if !matches(&headers, &tag(&shown(&told))) {
            let detail = "the mailbox is not as If-Match says (any more)";
            return Err(Problem::new(Code::Changed, detail));
        }
        let old = told.entry.clone();
        let mut fields = fields.clone();
        let name = fields.text("name", check::name);
        let owner = owner(&api, &tenant, &mut fields).await?;
        settings::patch(&mut fields, &mut told.entry.settings);
        fields.done()?;
        told.entry.name = name.unwrap_or(told.entry.name);
        if let Some(owner) = owner {
            told.entry.owner = owner.map(|it| it.id);
        }
        if mailboxes::replace(&api.db, &tenant, &told.id, &old, &told.entry).await? {
            return Ok(answer(&told));
        }
    }
    Err(Problem::new(Code::Contended, "somebody else keeps changing the mailbox; try again"))
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
    id: Id,
) -> Result<StatusCode, Problem> {
    let told = find(&api, &tenant, id).await?;
    match asked.one("with_messages") {
        Some("true") => {
            admin::mailbox::empty(&api.db, &api.blobs, &api.clock, &told.id).await?;
        }
        None | Some("false") => {}
        Some(_) => {
            let detail = "with_messages has to be true or false";
            return Err(Problem::new(Code::BadParameter, detail));
        }
    }
    match admin::mailbox::remove(&api.db, &api.blobs, &tenant, &told.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn effective(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    let told = find(&api, &tenant, id).await?;
    let tenant = tenants::get(&api.db, &tenant).await?.ok_or_else(Problem::missing)?;
    Ok(Json(settings::effective(&told.entry.settings, &tenant.settings)))
}

async fn usage(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let mailbox = mailboxes::held(&api.db, &tenant, &MailboxId(id.to_string())).await?;
    let mailbox = mailbox.ok_or_else(Problem::missing)?;
    let mut told = json!({ "limit": mailbox.limit() });
    for folder in Folder::ALL {
        told[folder.as_str()] = messages::count(&api.db, &mailbox.id, folder).await?.into();
    }
    Ok(Json(told))
}

async fn find(api: &Api, tenant: &TenantId, Id(id): Id) -> Result<Told, Problem> {
    let found = mailboxes::told(&api.db, tenant, &MailboxId(id.to_string())).await?;
    found.ok_or_else(Problem::missing)
}

/// Whose it is to be, if that is said: one of the tenant's users, or nobody.
async fn owner(
    api: &Api,
    tenant: &TenantId,
    fields: &mut Fields,
) -> Result<Option<Option<Person>>, Problem> {
    let id = match fields.text_or_null("owner", |_| Ok(())) {
        Some(Some(id)) => id,
        said => return Ok(said.map(|_| None)),
    };
    let id = id.parse::<uuid::Uuid>().unwrap_or_default();
    let found = people::get(&api.db, tenant, &UserId(id.to_string())).await?;
    Ok(match found {
        Some(person) => Some(Some(person)),
        None => fields.fault("owner", "the tenant has no user of this id"),
    })
}

/// Whether what is asked for holds of this tag (RFC 9110 §13.1.1).
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let mut wanted = headers.get_all(header::IF_MATCH).iter().peekable();
    wanted.peek().is_none()
        || wanted.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(',')).any(|it| {
            let it = it.trim();
            it == "*" || it == tag
        })
}
