//! Keeps the layers apart: who may say `use crate::` whom.

use std::{collections::BTreeMap, fs, path::Path};

/// Each module may use those of earlier rows; only the core may look sideways.
const LAYERS: [&[&str]; 7] = [
    &["audio", "flow", "mailbox", "music", "say", "srtp"],
    &["bell", "clock", "sys"],
    &["worker"],
    &["blobs", "decode", "mail", "prompts", "rtp", "sip", "speech", "store"],
    &["config"],
    &["app"],
    &["admin", "call", "cli", "hold", "http", "jobs", "lamp"],
];

#[test]
fn modules_use_only_the_layers_above_them() {
    let mut wrong = Vec::new();
    for (user, text) in &sources() {
        for used in text.split("crate::").skip(1).flat_map(modules) {
            let (above, below) = (layer(&used), layer(user));
            let sideways = above == below && (above == 0 || above + 1 == LAYERS.len());
            if !(above < below || *user == used || sideways) {
                wrong.push(format!("{user} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_touches_nothing_outside() {
    let outside = ["tokio", "sqlx", "axum", "async ", "std::net", "std::fs", "::now()"];
    for (module, text) in sources().iter().filter(|(module, _)| layer(module) == 0) {
        for word in outside {
            assert!(!text.contains(word), "{module} is core and must not know {word}");
        }
    }
}

/// Another stack can take sipx's place as long as nobody else names it.
#[test]
fn only_sip_knows_the_sip_crates() {
    for (module, text) in sources().iter().filter(|(module, _)| *module != "sip") {
        assert!(!text.contains("sipx_"), "{module} names a SIP crate");
    }
}

#[test]
fn unsafe_code_stays_in_sys() {
    for (module, text) in sources().iter().filter(|(module, _)| *module != "sys") {
        assert!(!text.contains("unsafe {"), "{module} has unsafe code");
        assert!(!text.contains("(unsafe_code"), "{module} allows unsafe code");
    }
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("{module} has no place in the layers"))
}

/// The modules named behind `crate::`: one, or those of a group in braces.
fn modules(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 1;
    let mut names = vec![name(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|it| !it.is_empty());
    names
}

/// The text of each top-level module.
fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    collect(Path::new("src"), None, &mut sources);
    sources.retain(|module, _| !["lib", "main"].contains(&module.as_str()));
    sources
}

fn collect(dir: &Path, module: Option<&str>, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let module = module.unwrap_or(name);
        if path.is_dir() {
            collect(&path, Some(module), into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.entry(module.into()).or_default().push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
