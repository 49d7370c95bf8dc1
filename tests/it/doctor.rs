//! `afterbeep doctor`: finds nothing in a healthy house, and in one with one thing broken just that.

use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use afterbeep::config::Config;
use serde_json::Value;

use crate::house::{Bare, House, models};
use crate::mail::sink::{Mode, Sink};
use crate::{postgres, s3::S3};

mod broken;

const DEAF: &str = "[speech]\nmodels = \"/nonexistent\"\n";

/// What it said, each check with its worst verdict.
struct Told {
    lines: Vec<Value>,
    failed: bool,
}

impl Told {
    fn of(dir: &Path) -> Self {
        let output = doctor(dir, &["--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let lines = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        Self { lines, failed: !output.status.success() }
    }

    fn verdicts(&self) -> BTreeMap<String, String> {
        let rank = |it: &String| ["OK", "WARN", "FAIL"].iter().position(|word| it == word).unwrap();
        let mut verdicts = BTreeMap::<String, String>::new();
        for line in &self.lines {
            let [check, verdict] =
                ["check", "verdict"].map(|it| line[it].as_str().unwrap().to_owned());
            let worst = verdicts.entry(check).or_insert_with(|| verdict.clone());
            if rank(&verdict) > rank(worst) {
                *worst = verdict;
            }
        }
        verdicts
    }

    /// The checks whose verdict is another one than before.
    fn changed(&self, before: &Told) -> Vec<(String, String)> {
        let (before, now) = (before.verdicts(), self.verdicts());
        now.into_iter().filter(|(check, verdict)| before.get(check) != Some(verdict)).collect()
    }

    /// What was found by this check, all its lines together.
    fn found(&self, check: &str) -> String {
        let lines = self.lines.iter().filter(|it| it["check"] == check);
        lines.map(|it| it["found"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }
}

fn doctor(dir: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterbeep"));
    command.current_dir(dir).arg("--config").arg(dir.join("afterbeep.toml"));
    command.arg("doctor").args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_healthy_house_whose_server_runs_all_is_well() {
    let sink = Sink::start(Mode::Accept).await;
    let settings = format!(
        "[sip]\nmost_calls = 100\n[speech]\nmodel = \"tiny.en\"\nmodels = {:?}\n[mail]\nbase_url = \"https://vm.example\"\n\
         [mail.server]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        models(),
        sink.addr.port()
    );
    let house = House::start(&settings);
    house.run(&["mailbox", "set", "1000", "--translate", "yes", "--translate-to", "pt"]);
    let before = files(&house.data());
    let told = Told::of(house.dir.path());
    // How fast speech is written down depends on what else the machine does.
    let mut all = told.verdicts().into_iter().filter(|it| it.0 != "speech");
    assert!(!told.failed && all.all(|it| it.1 == "OK"), "{:#?}", told.lines);
    assert_eq!(told.verdicts().len(), 17, "{:#?}", told.lines);
    assert!(told.found("web").contains("is ready"), "{}", told.found("web"));
    assert!(told.found("sip").contains("held by the running server"), "{}", told.found("sip"));
    assert!(told.found("speech").contains("for a second of speech"), "{}", told.found("speech"));
    assert!(told.found("translation").contains("from en to pt"), "{}", told.found("translation"));
    assert_eq!(files(&house.data()), before, "what was tried out was left there");
    assert!(sink.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_and_s3_are_tried_out_and_left_as_they_were() {
    let s3 = S3::start().await;
    let store = format!("[store]\nurl = {:?}\n", postgres::database().await);
    let house = House::start(&format!("{store}{}{DEAF}", s3.section(true)));
    let told = Told::of(house.dir.path());
    assert!(!told.failed, "{:#?}", told.lines);
    assert!(told.found("database").starts_with("PostgreSQL "), "{}", told.found("database"));
    assert_eq!(told.found("clock"), "The database's clock and ours agree.");
    let kept = told.found("recordings");
    assert!(kept.contains("s3://voicemail/house keeps them"), "{kept}");
    assert_eq!(kept.lines().count(), 2, "{kept}");
    assert!(s3.keys().is_empty());
}

#[test]
fn before_the_first_start_nothing_is_made_and_nothing_fails() {
    let house = Bare::new(DEAF);
    let told = Told::of(house.dir.path());
    assert!(!told.failed, "{:#?}", told.lines);
    assert!(told.found("database").contains("none yet"));
    assert!(!house.dir.path().join("data").exists());
}

#[test]
fn people_read_a_line_for_each_thing_its_remedy_and_a_last_sentence() {
    let house = Bare::new(DEAF);
    let output = doctor(house.dir.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("OK    settings     "), "{text}");
    let deaf = lines.iter().position(|it| it.starts_with("WARN  speech       ")).unwrap();
    assert_eq!(lines[deaf + 1].trim(), "Fetch it: afterbeep model fetch base");
    assert!(lines.last().unwrap().starts_with("All works; "), "{text}");
}

#[test]
fn a_health_check_succeeds_while_a_ready_server_answers() {
    let mut house = House::start(DEAF);
    assert_eq!(house.run(&["healthcheck"]), "");
    house.kill();
    assert!(house.refused(&["healthcheck"]).contains("no server answers on 127.0.0.1:"));
}

/// Every file with its length, but those SQLite has while it is open.
fn files(dir: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (path, size) = entry.map(|it| (it.path(), it.metadata().unwrap().len())).unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().contains("afterbeep.db") {
                found.insert(path.display().to_string(), size);
            }
        }
    }
    found
}
