//! Letters caught in a folder.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use afterbeep::mail::{MailError, Mailer, Settings, folder};

use super::*;

fn mailer(data: &Path) -> Mailer {
    Mailer::open(&Settings::default(), data).unwrap()
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    names.map(|it| it.into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_caught_letter_lies_in_a_maildir_for_its_owner_only() {
    let data = tempfile::tempdir().unwrap();
    let mailer = mailer(data.path());
    let letter = letter(&from_marie(), &transcript(&[("Hello.", 0.9)]));
    let accepted = mailer.send(&letter, "ann@example.org").await.unwrap();

    let dir = mailer.caught().unwrap();
    assert_eq!(dir, data.path().join("mail"));
    let [name] = &files(&dir.join("new"))[..] else { panic!("one letter") };
    let file = dir.join("new").join(name);
    assert!(accepted.reply.ends_with(file.to_str().unwrap()), "{}", accepted.reply);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.join("new")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(files(&dir.join("tmp")), [""; 0]);
    let bytes = fs::read(&file).unwrap();
    let parsed = mail_parser::MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(parsed.subject(), Some(letter.subject.as_str()));
}

#[tokio::test]
async fn another_try_replaces_the_letter_and_another_recipient_does_not() {
    let data = tempfile::tempdir().unwrap();
    let mailer = mailer(data.path());
    let letter = letter(&from_marie(), &Text::Off);
    for to in ["ann@example.org", "ann@example.org", "bob@example.org"] {
        mailer.send(&letter, to).await.unwrap();
    }
    let caught = folder::list(mailer.caught().unwrap(), 10).unwrap();
    let mut to: Vec<_> = caught.iter().map(|it| it.to.as_str()).collect();
    to.sort();
    assert_eq!(to, ["ann@example.org", "bob@example.org"]);
    assert_eq!(files(&mailer.caught().unwrap().join("new")).len(), 2);
}

#[tokio::test]
async fn the_newest_letters_are_listed_first() {
    let data = tempfile::tempdir().unwrap();
    let mailer = mailer(data.path());
    for id in 1..=3 {
        let letter =
            Letter { id: MessageId(Uuid::from_u128(id)), ..letter(&from_marie(), &Text::Off) };
        mailer.send(&letter, "ann@example.org").await.unwrap();
    }
    let caught = folder::list(mailer.caught().unwrap(), 2).unwrap();
    let ends: Vec<_> = caught.iter().map(|it| it.id[30..36].to_owned()).collect();
    assert_eq!(ends, ["000003", "000002"]);
    assert_eq!(folder::list(Path::new("no/such/folder"), 2).unwrap(), []);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error_to_try_again() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("mail"), "in the way").unwrap();
    let mailer = mailer(data.path());
    let refused = mailer.send(&letter(&from_marie(), &Text::Off), "ann@example.org").await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, MailError::Folder(..)), "{refused:?}");
    assert!(refused.is_temporary());
    assert!(mailer.check().await.is_err());
}

#[tokio::test]
async fn checking_a_folder_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let mailer = mailer(data.path());
    mailer.check().await.unwrap();
    assert_eq!(files(&mailer.caught().unwrap().join("tmp")), [""; 0]);
}
