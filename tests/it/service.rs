//! Afterbeep under systemd: the unit, and what the service manager is told.

use std::{
    collections::BTreeMap,
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Command, Stdio},
    time::Duration,
};

use afterbeep::config::Config;

use crate::house::{Bare, PATIENCE, browser};

/// The settings of the unit, by name; one that may stand there several times has them all.
fn unit() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string("assets/afterbeep.service").unwrap();
    let mut settings = BTreeMap::<_, Vec<_>>::new();
    for line in text.lines().filter(|it| !it.starts_with(['#', '[']) && !it.is_empty()) {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line:?}"));
        settings.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    settings
}

#[test]
fn the_unit_grants_what_the_server_needs_and_nothing_that_it_must_not_have() {
    let unit = unit();
    let one = |name: &str| unit[name].last().unwrap().as_str();
    assert_eq!(one("Type"), "notify");
    assert_eq!(one("StateDirectory"), "afterbeep");
    assert_eq!(one("StateDirectoryMode"), "0700");
    assert_eq!(one("NoNewPrivileges"), "yes");
    assert_eq!(one("CapabilityBoundingSet"), "");
    // The media threads ask for SCHED_FIFO 20, and else for nice -15.
    assert_eq!((one("LimitRTPRIO"), one("LimitNICE")), ("20", "-15"));
    assert!(!unit.contains_key("RestrictRealtime"));
    // A worker that is told to stop as well leaves its work undone.
    assert_eq!(one("KillMode"), "mixed");
    let stop: u64 = one("TimeoutStopSec").parse().unwrap();
    assert!(Duration::from_secs(stop) > Config::default().stop_within + Duration::from_secs(10));

    let words: Vec<_> = one("ExecStart").split(' ').skip(1).collect();
    let [verb, "--config", "/etc/afterbeep/afterbeep.toml"] = words[..] else {
        panic!("{words:?}")
    };
    let help = Command::new(env!("CARGO_BIN_EXE_afterbeep")).args(["help", verb]).output().unwrap();
    assert!(help.status.success());
}

#[tokio::test]
async fn the_service_manager_is_told_when_calls_are_taken_and_when_it_ends() {
    let house = Bare::new("[speech]\nmodels = \"/nonexistent\"\n");
    let path = house.dir.path().join("notify");
    tell_of(&house, path.to_str().unwrap(), UnixDatagram::bind(&path).unwrap()).await;

    let house = Bare::new("[speech]\nmodels = \"/nonexistent\"\n");
    let name = format!("afterbeep-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    tell_of(&house, &format!("@{name}"), UnixDatagram::bind_addr(&address).unwrap()).await;
}

async fn tell_of(house: &Bare, name: &str, manager: UnixDatagram) {
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut word = [0; 64];
        let length = manager.recv(&mut word).unwrap();
        String::from_utf8(word[..length].to_vec()).unwrap()
    };
    let settings = house.dir.path().join("afterbeep.toml");
    let mut server = Command::new(env!("CARGO_BIN_EXE_afterbeep"))
        .arg("--config")
        .arg(&settings)
        .arg("serve")
        .env("NOTIFY_SOCKET", name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(heard(), "READY=1");
    let web = Config::read(&settings).unwrap().http.listen;
    let ready = browser().get(format!("http://{web}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let pid = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(heard(), "STOPPING=1");
    assert!(server.wait().unwrap().success());
}
