//! The files in `docker/`, as far as they can be checked where no container runs: they parse, agree
//! with each other and with the program, and name only what there is.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use afterbeep::config::Config;
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new("docker").join(name)).unwrap_or_else(|_| panic!("{name}"))
}

fn compose() -> Value {
    let documents = YamlLoader::load_from_str(&read("compose.yaml")).unwrap();
    json(&documents[0])
}

/// The same as JSON, which the other files are compared with.
fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(it) => (*it).into(),
        Yaml::Null => Value::Null,
        Yaml::Array(all) => all.iter().map(json).collect(),
        Yaml::Hash(all) => {
            all.iter().map(|(key, it)| (key.as_str().unwrap().to_owned(), json(it))).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_settings_are_right_and_name_what_compose_provides() {
    let config = Config::parse(&read("afterbeep.toml")).unwrap();
    let compose = compose();
    let services = &compose["services"];
    let address = |name: &str| {
        services[name]["networks"]["inside"]["ipv4_address"].as_str().unwrap().to_owned()
    };
    assert_eq!(config.sip.listen[0].ip().to_string(), address("afterbeep"));
    assert_eq!(config.sip.allow, [address("asterisk") + "/32"]);
    assert!(config.rtp.ports.pairs() >= config.sip.most_calls);

    let server = config.mail.server.unwrap();
    let database = config.store.url.unwrap();
    let s3 = config.blobs.endpoint.unwrap();
    assert!(services[&server.host].is_object());
    let user = &services["database"]["environment"];
    assert_eq!(
        database,
        format!("postgres://{}@database/{}", word(user, "USER"), word(user, "DB"))
    );
    let port = strings(&services["s3"]["command"])[1].to_owned();
    assert_eq!(s3, format!("http://s3{port}"));
    let key = services["s3"]["environment"]["ROOT_ACCESS_KEY"].as_str();
    assert_eq!(config.blobs.access_key.as_deref(), key);
    let bucket = config.blobs.url.unwrap();
    let folder = strings(&services["s3"]["volumes"])[0].rsplit('/').next().unwrap().to_owned();
    assert!(bucket.starts_with(&format!("s3://{folder}/")), "{bucket}");

    let given = services["afterbeep"]["secrets"].as_array().unwrap();
    // Secrets that come from .env are written into the container.
    assert!(services["afterbeep"]["read_only"].is_null());
    let given = given.iter().map(|it| format!("/run/secrets/{}", it["source"].as_str().unwrap()));
    let wanted = [config.store.password_file, config.blobs.secret_key_file];
    let wanted = wanted.map(|it| it.unwrap().display().to_string());
    assert_eq!(given.collect::<Vec<_>>(), wanted);
    let volume = strings(&services["afterbeep"]["volumes"])[0].split(':').nth(1).unwrap();
    assert!(config.data.starts_with(volume) && config.speech.models.starts_with(volume));
}

fn word<'a>(environment: &'a Value, name: &str) -> &'a str {
    environment[format!("POSTGRES_{name}")].as_str().unwrap()
}

#[test]
fn everything_named_is_there_and_every_image_has_a_version() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        let image = service["image"].as_str().unwrap();
        assert!(is_pinned(image), "{name}: {image}");
        for volume in strings(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(file) => assert!(Path::new("docker").join(file).is_file(), "{volume}"),
                None => assert!(compose["volumes"].get(source).is_some(), "{volume}"),
            }
        }
        let build = &service["build"];
        if let Some(context) = build["context"].as_str() {
            let file = build["dockerfile"].as_str().unwrap_or("Dockerfile");
            assert!(Path::new("docker").join(context).join(file).is_file(), "{name}");
        }
        for other in service["depends_on"].as_object().into_iter().flatten() {
            assert!(compose["services"][other.0].is_object(), "{name} waits for {}", other.0);
        }
    }
    for file in ["Dockerfile", "asterisk/Dockerfile"] {
        for from in read(file).lines().filter_map(|it| it.strip_prefix("FROM ")) {
            assert!(is_pinned(from.split(' ').next().unwrap()), "{file}: {from}");
        }
    }
}

/// A tag that says a version, or the flavour of an image that has no other tags.
fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit('/').next().unwrap().split_once(':').map(|it| it.1);
    tag.is_some_and(|it| it == "nonroot" || it.contains(|c: char| c.is_ascii_digit()))
}

#[test]
fn no_password_has_a_default_and_each_is_asked_for_by_name() {
    let compose = read("compose.yaml");
    let asked = compose.split("${").skip(1).map(|it| it.split_once('}').unwrap().0);
    let names: BTreeSet<_> = asked
        .map(|it| it.split_once(":?").unwrap_or_else(|| panic!("${{{it}}} may be missing")).0)
        .collect();
    let example = read(".env.example");
    let told: BTreeSet<_> = example.lines().filter_map(|it| it.strip_suffix('=')).collect();
    assert_eq!(names, told);
    let secrets = self::compose()["secrets"].clone();
    for (_, secret) in secrets.as_object().unwrap() {
        assert!(names.contains(secret["environment"].as_str().unwrap()), "{secret}");
    }
    for file in fs::read_dir("docker/asterisk").unwrap().map(|it| it.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.lines().any(|it| it.starts_with("password")), "{}", file.display());
    }
}

#[test]
fn the_image_is_built_by_the_makefile_and_watched_by_a_verb() {
    let (dockerfile, makefile) = (read("Dockerfile"), fs::read_to_string("Makefile").unwrap());
    assert!(!dockerfile.contains("apt"), "the Makefile installs what is needed");
    let targets: Vec<_> =
        dockerfile.split("make ").skip(1).map(|it| it.split_whitespace().next().unwrap()).collect();
    assert_eq!(targets, ["setup", "build"]);
    for target in targets {
        assert!(makefile.lines().any(|it| it.starts_with(&format!("{target}:"))), "{target}");
    }
    let copied = dockerfile.lines().filter_map(|it| it.strip_prefix("COPY "));
    for line in copied.filter(|it| !it.starts_with("--from")) {
        let sources = line.rsplit_once(' ').unwrap().0;
        assert!(sources.split(' ').all(|it| Path::new(it).exists()), "{line}");
    }
    let health = dockerfile.lines().find(|it| it.starts_with("HEALTHCHECK")).unwrap();
    let words: Vec<String> = serde_json::from_str(&health[health.find('[').unwrap()..]).unwrap();
    assert_eq!(words[0], "afterbeep");
    let help = Command::new(env!("CARGO_BIN_EXE_afterbeep")).args(["help", &words[1]]).output();
    assert!(help.unwrap().status.success());
}

/// The trunk is the one of `docs/engines/asterisk.md`, with the addresses of the network here.
#[test]
fn asterisk_sends_calls_as_its_page_says() {
    let page = fs::read_to_string("docs/engines/asterisk.md").unwrap();
    let said: BTreeSet<_> = page.lines().map(setting).collect();
    let dialplan = read("asterisk/extensions.conf");
    for line in dialplan.lines().map(setting).filter(|it| !it.is_empty()) {
        assert!(said.contains(line), "{line} is not in docs/engines/asterisk.md");
    }
    let trunk = read("asterisk/pjsip.conf");
    let config = Config::parse(&read("afterbeep.toml")).unwrap();
    assert!(trunk.contains(&format!("contact = sip:{}\n", config.sip.listen[0])));
    for line in ["send_pai = yes", "send_diversion = yes", "context = none"] {
        assert!(said.contains(line) && trunk.lines().map(setting).any(|it| it == line), "{line}");
    }
    let ports = read("asterisk/rtp.conf");
    let port = |name: &str| {
        let line = ports.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(" = "));
        line.unwrap().to_owned()
    };
    let range = format!("{}-{}", port("rtpstart"), port("rtpend"));
    let compose = compose();
    let published = strings(&compose["services"]["asterisk"]["ports"]);
    assert!(published.contains(&format!("{range}:{range}/udp").as_str()), "{published:?}");
}

/// A line without its comment.
fn setting(line: &str) -> &str {
    line.split(';').next().unwrap_or_default().trim()
}
