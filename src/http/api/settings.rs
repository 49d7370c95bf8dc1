//! Settings in the API: as a mailbox or tenant sets them, and as they apply.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::{
    admin::{self, check},
    mailbox::{
        Preferences, Profile, Settings,
        settings::{Addresses, Hours, Level, LogIn, Numbers, Operator, WhenOff},
    },
};

/// Puts what stands in the field `settings` over what is set (RFC 7396): `null` takes one away, so
/// that the level above applies. What is wrong is noted in the fields.
pub(super) fn patch(fields: &mut Fields, settings: &mut Settings) {
    let Some(said) = fields.object("settings") else { return };
    let mut merged = match json!(settings) {
        Value::Object(it) => it,
        _ => Map::new(),
    };
    for (name, value) in &said {
        if !Settings::NAMES.contains(&name.as_str()) {
            let meant = check::meant(name, Settings::NAMES.iter().copied());
            fields.unknown("settings/", name, &meant);
        } else if value.is_null() {
            merged.remove(name);
        } else if let Err(problem) = fine(name, value) {
            fields.fault::<()>(&format!("settings/{name}"), problem);
        } else {
            merged.insert(name.clone(), value.clone());
        }
    }
    let new = serde_json::from_value(merged.into()).map_err(anyhow::Error::from);
    let settled = new.and_then(|mut new| {
        admin::settings::settle(&mut new, |it| said.contains_key(it)).map(|()| new)
    });
    match settled {
        Ok(new) => *settings = new,
        Err(problem) => {
            fields.fault::<()>("settings", format!("{problem:#}"));
        }
    }
}

/// The same for a tenant, all of whose mailboxes start from them.
pub(super) fn patch_shared(fields: &mut Fields, settings: &mut Settings) {
    patch(fields, settings);
    if let Err(problem) = check::shared(settings) {
        fields.fault::<()>("settings", format!("{problem:#}"));
    }
}

/// Whether one setting may have this value.
fn fine(name: &str, value: &Value) -> Result<(), String> {
    // Whoever types addresses is forgiven spaces and repetitions; a program is told.
    let said = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let (most, what, each): (_, _, fn(&str) -> anyhow::Result<()>) = match name {
        "copy_to" | "distribute" => (Numbers::MOST, "numbers", check::number),
        _ => (Addresses::MOST, "addresses", check::email),
    };
    if said.len() > most {
        return Err(format!("{most} {what} at most"));
    }
    for one in said.iter().filter_map(Value::as_str) {
        each(one).map_err(|error| format!("{error:#}"))?;
    }
    let alone = Map::from_iter([(name.to_owned(), value.clone())]);
    let alone = serde_json::from_value(alone.into()).map_err(|error| error.to_string())?;
    check::settings(&alone).map_err(|error| format!("{error:#}"))
}

/// Every setting with its value and the level that sets it.
pub(super) fn effective(mailbox: &Settings, tenant: &Settings) -> Value {
    let values = json!(Preferences::of(mailbox.clone(), tenant.clone()));
    let lines = Settings::lines(mailbox, tenant);
    let one = |name: &str, from: Level| json!({ "value": values[name], "from": from });
    lines.iter().map(|it| (it.name.to_owned(), one(it.name, it.from))).collect::<Map<_, _>>().into()
}

/// The schemas of both, for the description.
pub(super) fn schemas() -> [(&'static str, Value); 2] {
    let none = Settings::default();
    let defaults = json!(Preferences::default());
    let (mut own, mut all) = (Map::new(), Map::new());
    for line in Settings::lines(&none, &none) {
        let mut schema = kind(line.name, &defaults[line.name]);
        let from = json!({ "type": "string", "enum": ["mailbox", "tenant", "default"] });
        all.insert(
            line.name.into(),
            json!({
                "type": "object",
                "required": ["value", "from"],
                "properties": { "value": schema, "from": from },
                "additionalProperties": false,
            }),
        );
        schema["type"] = json!([schema["type"], "null"]);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
        schema["description"] = line.label.into();
        own.insert(line.name.into(), schema);
    }
    let object = |properties: Map<String, Value>, required: &[&str]| {
        json!({
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        })
    };
    [("Settings", object(own, &[])), ("EffectiveSettings", object(all, Settings::NAMES))]
}

/// What one setting may be, told from its name and default.
fn kind(name: &str, default: &Value) -> Value {
    const LANGUAGE: &str = "^[a-z]{2,3}(-[A-Z]{2})?$";
    match (name, default) {
        ("attach", _) => json!({ "type": "string", "enum": ["wav", "mp3"] }),
        ("hours", _) => {
            let words = [Hours::Twelve, Hours::TwentyFour].map(Hours::as_str);
            json!({ "type": "string", "enum": words })
        }
        ("when_off", _) => {
            let words = [WhenOff::Announcement, WhenOff::Refuse].map(WhenOff::as_str);
            json!({ "type": "string", "enum": words })
        }
        ("log_in_by_star", _) => {
            let words = [LogIn::Never, LogIn::Inside, LogIn::Anywhere].map(LogIn::as_str);
            json!({ "type": "string", "enum": words })
        }
        ("operator", _) => json!({ "type": "string", "pattern": Operator::PATTERN }),
        ("presence", _) => json!({ "type": "string", "enum": Profile::ALL.map(Profile::as_str) }),
        ("opening", _) => json!({ "type": "string", "examples": ["mo-fr 09:00-17:30"] }),
        ("holidays", _) => json!({ "type": "string", "examples": ["12-25, 2026-12-24"] }),
        ("greetings", _) => {
            json!({ "type": "string", "examples": ["temporary, reason:busy=busy, unavailable"] })
        }
        ("time_zone", _) => json!({ "type": "string", "examples": ["Europe/Vienna"] }),
        ("hold_music", _) => json!({ "type": "string", "pattern": "^[a-z0-9_.-]{1,64}$" }),
        ("spoken", _) => json!({ "type": "string", "pattern": format!("^auto$|{LANGUAGE}") }),
        ("copy_to" | "distribute", _) => {
            json!({ "type": "array", "maxItems": Numbers::MOST, "items": {
                "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$",
            }})
        }
        (_, Value::String(_)) => json!({ "type": "string", "pattern": LANGUAGE }),
        (_, Value::Bool(_)) => json!({ "type": "boolean" }),
        (_, Value::Number(_)) => {
            json!({ "type": "integer", "minimum": 0, "maximum": Settings::MOST })
        }
        _ => json!({ "type": "array", "maxItems": Addresses::MOST, "items": {
            "type": "string", "format": "email",
        }}),
    }
}
