//! One thing broken at a time.

use super::*;

/// A house that nobody serves, with a mailbox, and what is said of it while all is well.
fn sound(settings: &str) -> (Bare, Told) {
    let house = Bare::new(settings);
    house.run(&["mailbox", "add", "1000", "--name", "Ann", "--notify-to", "ann@localhost"]);
    let told = Told::of(house.dir.path());
    assert!(!told.failed, "{:#?}", told.lines);
    (house, told)
}

/// Changes the settings of a house; what is said of it then.
fn with(house: &Bare, change: impl Fn(String) -> String) -> Told {
    let file = house.dir.path().join("afterbeep.toml");
    fs::write(&file, change(fs::read_to_string(&file).unwrap())).unwrap();
    Told::of(house.dir.path())
}

/// Exactly this line is another one than before, and `word` is in it.
#[track_caller]
fn assert_broken(told: &Told, before: &Told, (check, verdict): (&str, &str), word: &str) {
    assert_eq!(told.changed(before), [(check.to_owned(), verdict.to_owned())], "{:#?}", told.lines);
    assert!(told.found(check).contains(word), "{}", told.found(check));
    assert_eq!(told.failed, verdict == "FAIL");
    let line = told.lines.iter().find(|it| it["check"] == check && it["verdict"] == verdict);
    assert!(line.unwrap()["remedy"].is_string(), "nothing is said that helps");
}

#[test]
fn settings_that_cannot_be_read_are_all_that_is_told() {
    let (house, _) = sound(DEAF);
    let told = with(&house, |it| it + "[deposit]\nlongst = \"5m\"\n");
    assert!(told.failed);
    assert_eq!(told.lines.len(), 1);
    assert!(told.found("settings").contains("did you mean \"longest\"?"));
}

#[test]
fn a_data_folder_that_cannot_be_written_to() {
    let (house, before) = (Bare::new(DEAF), Told::of(Bare::new(DEAF).dir.path()));
    // Nobody can make a file there, not even root.
    let data = format!("data = \"{}\"", house.dir.path().join("data").display());
    let told = with(&house, |it| it.replace(&data, "data = \"/proc/self\""));
    assert_broken(&told, &before, ("data", "FAIL"), "Nothing can be written to /proc/self");
}

#[test]
fn a_data_folder_that_others_can_enter() {
    let (house, before) = sound(DEAF);
    let data = house.dir.path().join("data");
    fs::set_permissions(data, PermissionsExt::from_mode(0o750)).unwrap();
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("data", "WARN"), "open to others (mode 750)");
}

#[test]
fn a_disk_that_is_too_full() {
    let (house, before) = sound(DEAF);
    let told = with(&house, |it| format!("disk_reserve_mib = 1000000000\n{it}"));
    assert_broken(&told, &before, ("data", "FAIL"), "New calls are refused");
}

#[test]
fn a_password_that_others_can_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).unwrap();
    let (house, before) = sound(&format!("{DEAF}[translation]\nkey_file = {:?}\n", file.path()));
    fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).unwrap();
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("secrets", "WARN"), "can be read by others (mode 644)");
    let path = file.path().to_owned();
    drop(file);
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("secrets", "FAIL"), path.to_str().unwrap());
}

#[test]
fn a_database_that_is_none() {
    let (house, before) = sound(DEAF);
    let data = house.dir.path().join("data");
    for file in fs::read_dir(&data).unwrap().map(|it| it.unwrap().path()) {
        if file.is_file() {
            fs::write(file, [7; 8_192]).unwrap();
        }
    }
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("database", "FAIL"), "not a database");
}

#[tokio::test]
async fn tables_of_another_version() {
    let (house, before) = sound(DEAF);
    let file = house.dir.path().join("data/afterbeep.db");
    let address = format!("sqlite://{}", file.display());
    let pool = sqlx::SqlitePool::connect(&address).await.unwrap();
    sqlx::query("update _sqlx_migrations set version = 9999").execute(&pool).await.unwrap();
    pool.close().await;
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("database", "FAIL"), "those of another version");
}

#[test]
fn ports_that_a_stranger_has() {
    let (house, before) = sound(DEAF);
    let config = Config::read(&house.dir.path().join("afterbeep.toml")).unwrap();
    let taken = UdpSocket::bind(config.sip.listen[0]).unwrap();
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("sip", "FAIL"), "in use by another program");
    drop(taken);

    let taken = TcpListener::bind(config.http.listen).unwrap();
    std::thread::spawn(move || taken.incoming().for_each(drop));
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("web", "FAIL"), "Another program answers");
}

#[test]
fn too_few_ports_for_sound() {
    let (house, before) = sound(&format!("[sip]\nmost_calls = 100\n{DEAF}"));
    let told = with(&house, |it| it.replace("most_calls = 100", "most_calls = 5000"));
    assert_broken(&told, &before, ("sound", "WARN"), "5000 may come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_lets_nobody_in() {
    let sink = Sink::start(Mode::Accept).await;
    let (house, before) = sound(&format!(
        "{DEAF}[mail.server]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        sink.addr.port()
    ));
    assert_eq!(before.verdicts()["mail"], "OK");
    sink.switch(Mode::Unwelcome(554));
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("mail", "FAIL"), "554");
    sink.switch(Mode::RefuseLogin);
    let login = "[mail.server]\nuser = \"voicemail\"\npassword = \"wrong-one\"\n";
    let told = with(&house, |it| it.replace("[mail.server]\n", login));
    assert_broken(&told, &before, ("mail", "FAIL"), "535");
    assert!(!told.lines.iter().any(|it| it.to_string().contains("wrong-one")));
}

#[test]
fn links_that_would_be_read_along() {
    let (house, before) = sound(DEAF);
    let told = with(&house, |it| it + "[mail]\nbase_url = \"http://vm.example\"\n");
    assert_broken(&told, &before, ("letters", "FAIL"), "is not https");
}

#[test]
fn a_language_that_nobody_speaks() {
    let (house, before) = sound(DEAF);
    house.run(&["mailbox", "set", "1000", "--prompts", "de"]);
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("prompts", "WARN"), "nobody speaks de");
}

#[test]
fn a_model_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (house, before) =
        sound(&format!("[speech]\nmodel = \"tiny.en\"\nmodels = {:?}\n", folder.path()));
    assert_eq!(before.verdicts()["speech"], "WARN");
    let model = fs::read(models().join("ggml-tiny.en.bin")).unwrap();
    fs::write(folder.path().join("ggml-tiny.en.bin"), &model[..1 << 20]).unwrap();
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("speech", "FAIL"), "its SHA-256 differs");
}

#[test]
fn a_translation_model_that_is_missing() {
    let (house, before) = sound(DEAF);
    house.run(&["mailbox", "set", "1000", "--translate", "yes", "--translate-to", "pt"]);
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("translation", "FAIL"), "afterbeep model fetch en-pt");
}

#[test]
fn a_mailbox_that_deletes_what_nobody_gets() {
    let (house, before) = sound(DEAF);
    let set = ["mailbox", "set", "1000", "--delete-after-notify", "yes", "--notify-to", "none"];
    house.run(&set);
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("mailboxes", "WARN"), "1000 deletes messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_server_that_is_away() {
    let mut s3 = S3::start().await;
    let (house, before) = sound(&format!("{}{DEAF}", s3.section(true)));
    s3.stop();
    let told = Told::of(house.dir.path());
    assert_broken(&told, &before, ("recordings", "FAIL"), "S3 server");
}
