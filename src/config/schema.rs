//! The settings as a JSON Schema (2020-12), so that editors complete and check a settings file.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, RestrictFormats};
use schemars::{Schema, generate::Contract};
use serde_json::{Value, json};

use super::Config;

/// The schema of a settings file; what each setting is for stands in its description.
///
/// Sections are spelt out where they are used: their types are all called `Settings`.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| {
        it.inline_subschemas = true;
        it.contract = Contract::Deserialize;
    });
    let settings = settings
        .with_transform(RestrictFormats::default())
        .with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Settings of Afterbeep".into());
    schema.to_value()
}

/// TOML has no null: what may be left out is just not required.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|it| it != "null");
        if let [only] = &kinds[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        ways.retain(|it| it != &json!({ "type": "null" }));
        if let [only] = &ways[..] {
            let only = only.as_object().cloned().unwrap_or_default();
            schema.remove("anyOf");
            for (key, value) in only {
                // What a setting is for says more than what its type is for.
                if schema.get(&key).is_none() {
                    schema.insert(key, value);
                }
            }
        }
    }
    // What a section is by default, its settings say one by one.
    if schema.get("default") == Some(&Value::Null) || schema.get("properties").is_some() {
        schema.remove("default");
    }
}
