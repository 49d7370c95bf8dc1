//! What a newcomer sees: the demonstration, and a server that cannot start.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use crate::house::{House, models};

#[test]
fn the_demonstration_shows_the_transcript_and_where_the_mail_lies() {
    let models = format!("[speech]\nmodels = {:?}\nmodel = \"tiny.en\"\n", models());
    let house = House::start(&models);
    let shown = house.run(&["demo", "call"]);
    let transcript = line(&shown, "Transcript");
    assert!(transcript.contains("Your bicycle is ready."), "{shown}");
    assert!(transcript.contains("whisper tiny.en"), "{shown}");
    let file = shown.split_whitespace().find(|it| it.ends_with(".eml")).expect(&shown);
    let letter = std::fs::read_to_string(house.dir.path().join(file)).unwrap();
    assert!(letter.contains("To: ann@localhost"), "{letter}");
    assert!(shown.contains(&format!("http://{}/mail", house.http)), "{shown}");
}

#[test]
fn the_demonstration_tells_how_to_get_a_model_that_is_missing() {
    let house = House::start("[speech]\nmodels = \"/nonexistent\"\nmodel = \"tiny.en\"\n");
    let shown = house.run(&["demo", "call"]);
    assert!(line(&shown, "Transcript").contains("model fetch tiny.en"), "{shown}");
    assert!(shown.contains(".eml"), "{shown}");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_setting() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let (udp, tcp) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let free = "127.0.0.1:0".parse().unwrap();
    for (sip, http, port, setting) in
        [(udp, free, udp.port(), "sip.listen"), (free, tcp, tcp.port(), "http.listen")]
    {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("afterbeep.toml");
        let text = format!("[sip]\nlisten = [\"{sip}\"]\n[http]\nlisten = \"{http}\"\n");
        std::fs::write(&file, text).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_afterbeep"));
        let server = server.current_dir(dir.path()).arg("serve").arg("--config").arg(&file);
        let server = server.output().unwrap();
        let said = String::from_utf8_lossy(&server.stderr);
        assert!(!server.status.success());
        assert!(said.contains(&port.to_string()) && said.contains(setting), "{said}");
    }
}

fn line<'a>(shown: &'a str, name: &str) -> &'a str {
    let line = shown.lines().find(|it| it.trim_start().starts_with(name));
    line.unwrap_or_else(|| panic!("there is no {name} in:\n{shown}"))
}
