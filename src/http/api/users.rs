//! Users of a tenant: who owns mailboxes, and where their mail goes.

use axum::{
    Extension, Json,
    extract::State,
    http::{Method, StatusCode, header},
    response::IntoResponse,
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
    problem::Problem,
};
use crate::{
    admin::check,
    mailbox::{TenantId, UserId},
    store::{
        people::{self, Person},
        tokens::Scope,
    },
};

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/users";
    const ONE: &str = "/users/{user}";
    let scope = Scope::Mailboxes;
    vec![
        Operation::new((Method::GET, ALL), ("listUsers", "All users, by address."), scope, list)
            .lists("User"),
        Operation::new((Method::POST, ALL), ("addUser", "Add a user."), scope, add)
            .takes(Body::Json("NewUser"))
            .answers(Answer::Made("User"))
            .refuses(409),
        Operation::new((Method::GET, ONE), ("getUser", "One user."), scope, show)
            .answers(Answer::One(200, "User")),
        Operation::new((Method::PATCH, ONE), ("changeUser", "Change a user."), scope, change)
            .takes(Body::Json("UserPatch"))
            .answers(Answer::One(200, "User"))
            .refuses(409),
        Operation::new(
            (Method::DELETE, ONE),
            ("removeUser", "Remove a user; their mailboxes stay and belong to nobody."),
            scope,
            remove,
        )
        .answers(Answer::Nothing(204)),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let id = json!({ "type": "string", "format": "uuid" });
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 100 });
    let email = json!({ "type": "string", "format": "email" });
    let told = json!({ "name": name, "email": email });
    vec![
        ("User", whole(json!({ "id": id, "name": name, "email": email }))),
        ("NewUser", object(&["email"], told.clone())),
        ("UserPatch", object::<&str>(&[], told)),
    ]
}

fn shown(person: &Person) -> Value {
    json!({ "id": person.id, "name": person.name, "email": person.email })
}

async fn list(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Extension(asked): Extension<Asked>,
) -> Result<Json<Value>, Problem> {
    let page = Page::of(&asked)?;
    let rows = people::page(&api.db, &tenant, &page.after, page.fetch()).await?;
    Ok(page.of_rows(rows, |it| it.email.clone(), shown))
}

async fn add(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    mut fields: Fields,
) -> Result<impl IntoResponse, Problem> {
    let email = fields.needed("email", check::email);
    let name = fields.text("name", check::name);
    fields.done()?;
    let name = name.unwrap_or_else(|| check::name_of(&email).to_owned());
    let person = Person { id: UserId(api.clock.message_id().to_string()), tenant, name, email };
    people::add(&api.db, &person, api.clock.now()).await?;
    let place = [(header::LOCATION, format!("{ROOT}/users/{}", person.id.0))];
    Ok((StatusCode::CREATED, place, Json(shown(&person))))
}

async fn show(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&find(&api, &tenant, id).await?)))
}

async fn change(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    id: Id,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let mut person = find(&api, &tenant, id).await?;
    let (name, email) = (fields.text("name", check::name), fields.text("email", check::email));
    fields.done()?;
    person.name = name.unwrap_or(person.name);
    person.email = email.unwrap_or(person.email);
    match people::set(&api.db, &person).await? {
        true => Ok(Json(shown(&person))),
        false => Err(Problem::missing()),
    }
}

async fn remove(
    State(api): State<Api>,
    Extension(At(tenant)): Extension<At>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    match people::remove(&api.db, &tenant, &UserId(id.to_string())).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::missing()),
    }
}

async fn find(api: &Api, tenant: &TenantId, Id(id): Id) -> Result<Person, Problem> {
    let found = people::get(&api.db, tenant, &UserId(id.to_string())).await?;
    found.ok_or_else(Problem::missing)
}
