//! Tenants. A token of one tenant sees its own and changes its settings; what it is called and
//! which calls reach it is for tokens of the platform alone.

use axum::{
    Extension, Json,
    extract::State,
    http::{Method, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};

use super::{
    Api, ROOT,
    access::Asked,
    description::{object, whole},
    fields::Fields,
    operation::{Answer, Body, Operation},
    page::Page,
    path::Id,
    problem::{Code, Problem},
    settings,
};
use crate::{
    admin::check,
    mailbox::{Settings, TenantId},
    store::{
        tenants::{self, Tenant},
        tokens::{Scope, Token},
    },
};

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/tenants";
    const ONE: &str = "/tenants/{tenant}";
    let scope = Scope::Tenants;
    vec![
        Operation::new((Method::GET, ALL), ("listTenants", "All tenants, by name."), scope, list)
            .of_house()
            .lists("Tenant"),
        Operation::new((Method::POST, ALL), ("addTenant", "Add a tenant."), scope, add)
            .of_house()
            .takes(Body::Json("NewTenant"))
            .answers(Answer::Made("Tenant"))
            .refuses(409),
        Operation::new((Method::GET, ONE), ("getTenant", "One tenant."), scope, show)
            .of_house()
            .answers(Answer::One(200, "Tenant")),
        Operation::new((Method::PATCH, ONE), ("changeTenant", "Change a tenant."), scope, change)
            .of_house()
            .takes(Body::Json("TenantPatch"))
            .answers(Answer::One(200, "Tenant"))
            .refuses(409),
        Operation::new(
            (Method::DELETE, ONE),
            ("removeTenant", "Remove a tenant that has no mailboxes."),
            scope,
            remove,
        )
        .of_house()
        .answers(Answer::Nothing(204))
        .refuses(409),
        Operation::new(
            (Method::GET, "/tenants/{tenant}/effective-settings"),
            ("getTenantSettings", "Every setting its mailboxes start from."),
            scope,
            effective,
        )
        .of_house()
        .answers(Answer::One(200, "EffectiveSettings")),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let id = json!({ "type": "string", "format": "uuid" });
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" });
    let domain = json!({
        "type": ["string", "null"], "pattern": "^[A-Za-z0-9.:\\[\\]-]{1,253}$",
        "description": "Calls to this host reach its mailboxes.",
    });
    let settings = json!({ "$ref": "#/components/schemas/Settings" });
    let told = json!({ "name": name, "sip_domain": domain, "settings": settings });
    let shown = json!({ "id": id, "name": name, "sip_domain": domain, "settings": settings });
    vec![
        ("Tenant", whole(shown)),
        ("NewTenant", object(&["name"], told.clone())),
        ("TenantPatch", object::<&str>(&[], told)),
    ]
}

fn shown(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "sip_domain": tenant.sip_domain,
        "settings": tenant.settings,
    })
}

async fn list(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    Extension(asked): Extension<Asked>,
) -> Result<Json<Value>, Problem> {
    let page = Page::of(&asked)?;
    let rows = match token.tenant {
        None => tenants::page(&api.db, &page.after, page.fetch()).await?,
        Some(own) => {
            let own = tenants::get(&api.db, &own).await?;
            own.filter(|it| it.name > page.after).into_iter().collect()
        }
    };
    Ok(page.of_rows(rows, |it| it.name.clone(), shown))
}

async fn add(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    mut fields: Fields,
) -> Result<impl IntoResponse, Problem> {
    platform_only(&token)?;
    let name = fields.needed("name", |it| check::handle("tenant name", it));
    let sip_domain = fields.text_or_null("sip_domain", check::host).flatten();
    let mut settings = Settings::default();
    settings::patch_shared(&mut fields, &mut settings);
    fields.done()?;
    let id = TenantId(api.clock.message_id().to_string());
    let sip_domain = sip_domain.map(|it| it.to_ascii_lowercase());
    let tenant = Tenant { id, name, sip_domain, settings };
    tenants::add(&api.db, &tenant, api.clock.now()).await?;
    let place = [(header::LOCATION, format!("{ROOT}/tenants/{}", tenant.id))];
    Ok((StatusCode::CREATED, place, Json(shown(&tenant))))
}

async fn show(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&find(&api, &token, id).await?)))
}

async fn change(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    id: Id,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let mut tenant = find(&api, &token, id).await?;
    let name = fields.text("name", |it| check::handle("tenant name", it));
    let sip_domain = fields.text_or_null("sip_domain", check::host);
    if name.is_some() || sip_domain.is_some() {
        platform_only(&token)?;
    }
    settings::patch_shared(&mut fields, &mut tenant.settings);
    fields.done()?;
    tenant.name = name.unwrap_or(tenant.name);
    if let Some(host) = sip_domain {
        tenant.sip_domain = host.map(|it| it.to_ascii_lowercase());
    }
    match tenants::set(&api.db, &tenant).await? {
        true => Ok(Json(shown(&tenant))),
        false => Err(Problem::missing()),
    }
}

async fn remove(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    id: Id,
) -> Result<StatusCode, Problem> {
    let tenant = find(&api, &token, id).await?;
    platform_only(&token)?;
    match tenants::remove(&api.db, &tenant.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn effective(
    State(api): State<Api>,
    Extension(token): Extension<Token>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    let tenant = find(&api, &token, id).await?;
    Ok(Json(settings::effective(&Settings::default(), &tenant.settings)))
}

/// The tenant of this id, if the token reaches it.
async fn find(api: &Api, token: &Token, Id(id): Id) -> Result<Tenant, Problem> {
    let id = TenantId(id.to_string());
    if token.tenant.as_ref().is_some_and(|own| *own != id) {
        return Err(Problem::missing());
    }
    tenants::get(&api.db, &id).await?.ok_or_else(Problem::missing)
}

fn platform_only(token: &Token) -> Result<(), Problem> {
    let detail = "this is for tokens that reach every tenant";
    token.tenant.as_ref().map_or(Ok(()), |_| Err(Problem::new(Code::PlatformOnly, detail)))
}
