//! The schema that editors complete settings files by.

use std::fs;

use afterbeep::config::{self, Config};
use serde_json::Value;

const FILE: &str = "assets/settings.schema.json";

#[test]
fn the_schema_in_the_repository_is_that_of_this_version() {
    let written: Value = serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap();
    let current = config::schema();
    assert!(written == current, "make it anew: afterbeep config schema >{FILE}");
    assert_eq!(current["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn every_setting_is_in_it_with_its_default_and_what_it_is_for() {
    let schema = config::schema();
    let shown = toml::to_string(&Config::default()).unwrap();
    let settings: Value = toml::from_str(&shown).unwrap();
    assert_eq!(unknown(&schema, &settings), [""; 0]);
    for (section, values) in settings.as_object().unwrap() {
        let known = &schema["properties"][section];
        assert!(known["description"].is_string(), "{section}");
        for (name, value) in values.as_object().into_iter().flatten() {
            assert_explained(&known["properties"][name], value, &format!("{section}.{name}"));
        }
    }
}

/// A setting says what it is for and what it is by default; a section within a section, of each.
fn assert_explained(known: &Value, value: &Value, name: &str) {
    assert!(known["description"].is_string(), "{name}");
    match value.as_object().filter(|_| known["properties"].is_object()) {
        Some(all) => all.iter().for_each(|(part, value)| {
            assert_explained(&known["properties"][part], value, &format!("{name}.{part}"));
        }),
        None => assert_eq!(&known["default"], value, "{name}"),
    }
}

#[test]
fn what_there_is_no_setting_for_is_refused_by_it() {
    let schema = config::schema();
    let strange = "[deposit]\nlongst = \"5m\"\n[mail.server]\nhost = \"h\"\nprot = 25\n\
        [[sip.accounts]]\nuser = \"u\"\npassword = \"p\"\n[depost]\nreview = true\n\
        [translation.commands]\nen-es = [\"apertium\"]\n";
    let settings = toml::from_str(strange).unwrap();
    let refused = ["deposit.longst", "depost", "mail.server.prot", "sip.accounts.password"];
    assert_eq!(unknown(&schema, &settings), refused);
    each(&schema, &mut |it| {
        if it["properties"].is_object() {
            assert_eq!(it["additionalProperties"], false, "{it}");
        }
    });
}

/// TOML has no null, so no editor may offer it.
#[test]
fn nothing_in_it_can_be_null() {
    each(&config::schema(), &mut |it| {
        assert!(it.get("type").is_none_or(|it| !it.to_string().contains("null")), "{it}");
        assert!(it.get("default").is_none_or(|it| !it.is_null()), "{it}");
    });
}

/// The settings that a schema does not know, in order.
fn unknown(schema: &Value, settings: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(schema, settings, "", &mut found);
    found.sort();
    found
}

fn look(schema: &Value, value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|it| look(&schema["items"], it, name, found)),
        Value::Object(all) => {
            for (key, value) in all {
                let name = [name, key].join(".").trim_start_matches('.').to_owned();
                match (&schema["properties"][key], &schema["additionalProperties"]) {
                    (known @ Value::Object(_), _) | (_, known @ Value::Object(_)) => {
                        look(known, value, &name, found);
                    }
                    _ => found.push(name),
                }
            }
        }
        _ => {}
    }
}

/// Every object of a schema.
fn each(value: &Value, say: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(all) => {
            say(value);
            all.values().for_each(|it| each(it, say));
        }
        Value::Array(all) => all.iter().for_each(|it| each(it, say)),
        _ => {}
    }
}
