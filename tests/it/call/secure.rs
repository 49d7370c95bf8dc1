//! Encrypted calls: signalling over TLS, sound over SRTP.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use afterbeep::audio::wav;

use super::{DEAF, assert_heard, assert_quiet, decoded, place, steadily, the_message, words};
use crate::certificate::Certificate;
use crate::house::{House, PATIENCE};
use crate::phone::Phone;
use crate::phone::secret::{KEY, Secret};
use crate::phone::secure::gate;

/// A house that takes calls over TLS.
pub(super) fn secured(rtp: &str) -> (Certificate, House) {
    let certificate = Certificate::new();
    let house = House::start(&format!("[rtp]\n{rtp}\n{}{DEAF}", certificate.settings()));
    (certificate, house)
}

/// A phone that encrypts, and says so.
pub(super) async fn secret_phone() -> Phone {
    let key: [u8; KEY] = rand::random();
    let mut phone = Phone::new().await.unwrap();
    phone.secret = Some(Secret::new(&key, &key));
    phone
}

#[tokio::test]
async fn an_encrypted_call_becomes_a_message_with_every_sample_that_was_spoken() {
    steadily(async || {
        let (certificate, house) = secured("");
        let server = gate(house.sips.unwrap(), &certificate.der).await.unwrap();
        let mut call = secret_phone().await.call(server, "1000").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        let said = words(4);
        call.speak(&said).await.unwrap();
        call.hang_up().await.unwrap();
        assert_heard(&house.sound(the_message(&house).await.id), &said);
    })
    .await;
}

#[tokio::test]
async fn sound_that_another_key_made_is_not_heard() {
    let (certificate, house) = secured("");
    let server = gate(house.sips.unwrap(), &certificate.der).await.unwrap();
    let (said, used): ([u8; KEY], [u8; KEY]) = rand::random();
    let mut phone = Phone::new().await.unwrap();
    phone.secret = Some(Secret::new(&said, &used));
    let mut call = phone.call(server, "1000").await.unwrap().unwrap();
    // The key that would skip the greeting is not heard either.
    call.press('#').await.unwrap();
    call.until_beep_is_over().await.unwrap();
    call.speak(&words(4)).await.unwrap();
    let (_, metrics) = house.get("/metrics").await;
    call.hang_up().await.unwrap();

    let forged = metrics.lines().find(|it| it.contains("reason=\"forged\"")).unwrap();
    let forged: u64 = forged.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(forged >= 150, "{forged} of them were counted");
    // The line was silent, as far as anybody can tell.
    let stored = house.sound(the_message(&house).await.id);
    assert!(stored.iter().all(|&it| it == 0), "something of it is stored");
}

#[tokio::test]
async fn a_key_that_everybody_could_read_is_taken_only_where_a_setting_says_so() {
    let house = House::start(DEAF);
    let refused = secret_phone().await.call(house.sip, "1000").await.unwrap().err().unwrap();
    assert_eq!(refused.status, 488);
    let house = House::start(&format!("[rtp]\nsrtp_without_tls = true\n{DEAF}"));
    let call = secret_phone().await.call(house.sip, "1000").await.unwrap().unwrap();
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn where_encryption_is_required_plain_calls_are_refused_and_where_it_is_off_encrypted_ones() {
    let (certificate, house) = secured("srtp = \"required\"");
    let server = gate(house.sips.unwrap(), &certificate.der).await.unwrap();
    let phone = Phone::new().await.unwrap();
    assert_eq!(phone.call(server, "1000").await.unwrap().err().unwrap().status, 488);
    let call = secret_phone().await.call(server, "1000").await.unwrap().unwrap();
    call.hang_up().await.unwrap();

    let (certificate, house) = secured("srtp = \"off\"");
    let server = gate(house.sips.unwrap(), &certificate.der).await.unwrap();
    let phone = secret_phone().await;
    assert_eq!(phone.call(server, "1000").await.unwrap().err().unwrap().status, 488);
    let call = Phone::new().await.unwrap().call(server, "1000").await.unwrap().unwrap();
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn hold_and_resume_go_on_under_the_same_keys() {
    steadily(async || {
        let (certificate, house) = secured("");
        let server = gate(house.sips.unwrap(), &certificate.der).await.unwrap();
        let mut call = secret_phone().await.call(server, "1000").await.unwrap().unwrap();
        call.skip_to_beep().await.unwrap();
        let said = words(2);
        let (before, after) = said.split_at(8_000);
        call.speak(before).await.unwrap();
        call.renegotiate("sendonly").await.unwrap();
        call.speak(&words(4)[16_000..]).await.unwrap();
        call.move_sound().await.unwrap();
        call.speak(after).await.unwrap();
        call.hang_up().await.unwrap();
        let stored = house.sound(the_message(&house).await.id);
        let first = place(&decoded(before), &stored).expect("what was said before the hold");
        let second = place(&decoded(after), &stored).expect("what was said after it");
        assert_quiet(&stored[first + before.len()..second], 8_000);
    })
    .await;
}

/// baresip, with nothing of ours in it: it calls over TLS with SRTP mandatory, leaves a message and
/// hangs up.
#[tokio::test]
async fn baresip_leaves_a_message_over_tls_and_srtp() {
    let (certificate, house) = secured("srtp = \"required\"");
    let folder = tempfile::tempdir().unwrap();
    // A greeting that is soon over, for baresip begins to speak at once.
    let short: Vec<i16> = (0..1_600).map(|n| ((n as f32 / 4.0).sin() * 3e3) as i16).collect();
    let greeting = folder.path().join("greeting.wav");
    std::fs::write(&greeting, wav::to_wav(&short, 8_000)).unwrap();
    house.run(&["greeting", "set", "--mailbox", "1000", "--file", greeting.to_str().unwrap()]);

    let said = decoded(&words(30));
    std::fs::write(folder.path().join("said.wav"), wav::to_wav(&said, 8_000)).unwrap();
    let server = house.sips.unwrap();
    configure(folder.path(), &certificate);
    let mut baresip = Command::new("baresip")
        .arg("-f")
        .arg(folder.path())
        .args(["-t", "12", "-e", &format!("/dial sip:1000@{server}")])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(folder.path().join("log")).unwrap())
        .stderr(std::fs::File::create(folder.path().join("errors")).unwrap())
        .spawn()
        .expect("baresip is missing; `make test` installs it");
    let until = Instant::now() + PATIENCE;
    while baresip.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            baresip.kill().unwrap();
            panic!("baresip did not end");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let log = read("log") + &read("errors");
    assert!(log.contains("SRTP is Enabled"), "{log}");

    let stored = house.sound(the_message(&house).await.id);
    let part = &stored[stored.len() / 2..stored.len() / 2 + 8_000];
    assert!(place(part, &said).is_some(), "what is stored is not what baresip said:\n{log}");
}

fn configure(folder: &Path, certificate: &Certificate) {
    let (said, heard) = (folder.join("said.wav"), folder.join("heard.wav"));
    let config = format!(
        "sip_listen 127.0.0.1:0\nsip_cafile {ca}\n\
         audio_source aufile,{said}\naudio_player aufile,{heard}\naudio_alert aufile,{heard}\n\
         audio_srate 8000\naudio_channels 1\nausrc_srate 8000\nauplay_srate 8000\n\
         module_path {modules}\nmodule g711.so\nmodule srtp.so\nmodule aufile.so\n\
         module_tmp account.so\nmodule_app menu.so\nnet_interface 127.0.0.1\n",
        ca = certificate.certificate().display(),
        said = said.display(),
        heard = heard.display(),
        modules = "/usr/lib/baresip/modules",
    );
    std::fs::write(folder.join("config"), config).unwrap();
    let account =
        "<sip:2000@127.0.0.1;transport=tls>;regint=0;mediaenc=srtp-mand;audio_codecs=PCMU\n";
    std::fs::write(folder.join("accounts"), account).unwrap();
    std::fs::write(folder.join("contacts"), "").unwrap();
}
