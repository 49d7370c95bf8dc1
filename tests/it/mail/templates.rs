//! An operator's own sentences: they replace ours, and slips are told before a message waits.

use std::{fs, path::Path};

use afterbeep::mail::{Part, sample::Sample};

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    dir
}

fn open(dir: &Path) -> Result<Templates, String> {
    Templates::open(Some(dir)).map_err(|it| it.to_string())
}

fn full(templates: &Templates, mailbox: &Mailbox) -> Letter {
    let sample = Sample::full();
    Letter::full(templates, &sample.news(mailbox), &ways(), Some(wav())).unwrap()
}

#[test]
fn a_file_replaces_ours_and_only_that() {
    let dir = folder(&[
        ("en/subject.txt", "Beep from {{ caller }}"),
        ("en/.subject.txt.swp", "{{ junk"),
        ("en/subject.txt~", "{{ junk"),
        ("readme.txt", "not a folder"),
    ]);
    let templates = open(dir.path()).unwrap();
    let letter = full(&templates, &reception());
    assert_eq!(letter.subject, "Beep from Marie Dupont (+33556123456)");
    assert_eq!(letter.text, full(&Templates::built_in(), &reception()).text);
    let french = full(&templates, &set("pages", "fr"));
    assert!(french.subject.contains("Marie Dupont (+33556123456)\u{a0}: «"), "{}", french.subject);
}

#[test]
fn a_new_language_takes_what_it_lacks_from_english() {
    let dir = folder(&[
        ("de/subject.txt", "Nachricht von {{ caller or \"unbekannt\" }}"),
        ("de/date.txt", "{{ day }}.{{ month }}.{{ year }} um {{ clock }} Uhr"),
    ]);
    let templates = open(dir.path()).unwrap();
    assert!(templates.languages().any(|it| it == "de"));
    let letter = full(&templates, &set("pages", "de-AT"));
    assert_eq!(letter.subject, "Nachricht von Marie Dupont (+33556123456)");
    assert!(letter.text.contains("Received: 23.11.2026 um 14:32 Uhr"), "{}", letter.text);
}

#[test]
fn a_page_may_stand_in_our_frame() {
    let page = "{% extends \"page/guest.html\" %}{% block main %}Weg.{% endblock %}";
    let dir = folder(&[("de/gone.html", page)]);
    let written = open(dir.path()).unwrap().write("de", Part::Gone, &().into()).unwrap();
    assert!(written.contains("<main class=\"wide\">\nWeg.</main>"), "{written}");
}

#[test]
fn slips_are_told_with_their_file_and_line() {
    for (file, text, told) in [
        ("en/letter.txt", "Hello\n{{ calller }}", ", line 2: nothing is called \"calller\""),
        ("en/letter.txt", "{{ calller }}", "did you mean \"caller\"?"),
        // Not where any sample leads.
        (
            "en/letter.txt",
            "\n\n{% if false %}{{ phone }}{% endif %}",
            ", line 3: nothing is called",
        ),
        ("en/letter.txt", "{% for it in said %}\n{{ it.txet }}{% endfor %}", ", line 2: "),
        ("en/letter.html", "{% if kind %}\n<p>", ", line 2: syntax error"),
        ("en/subject.txt", "{{ caller | shout }}", ", line 1: unknown filter"),
        ("en/date.txt", "{{ caller }}", "nothing is called \"caller\""),
        ("en/gone.html", "{% extends \"page/guest.htm\" %}", "line 1: template not found"),
        (
            "en/short.txt",
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
            "fuel",
        ),
        ("en/leter.txt", "Hello", "did you mean letter.txt?"),
    ] {
        let dir = folder(&[(file, text)]);
        let error = open(dir.path()).unwrap_err();
        let path = dir.path().join(file);
        assert!(error.starts_with(path.to_str().unwrap()), "{file}: {error}");
        assert!(error.contains(told), "{file}: {error}");
    }
    let missing = open(Path::new("/no/such/folder")).unwrap_err();
    assert!(missing.starts_with("/no/such/folder: it cannot be read"), "{missing}");
    let dir = folder(&[("en/letter.txt", &"a".repeat(300_000))]);
    assert!(open(dir.path()).unwrap_err().contains("262144 at most"));
}

/// Nothing that is built in is refused when it is an operator's, so all of it can be copied and changed.
#[test]
fn our_own_files_pass_the_same_examination() {
    let dir = tempfile::tempdir().unwrap();
    for language in ["en", "fr"] {
        let ours = Path::new("assets/mail").join(language);
        fs::create_dir(dir.path().join(language)).unwrap();
        let mut files = 0;
        for file in fs::read_dir(ours).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), dir.path().join(language).join(file.file_name())).unwrap();
            files += 1;
        }
        assert_eq!(files, Part::ALL.len(), "{language}");
    }
    let templates = open(dir.path()).unwrap();
    for language in ["en", "fr"] {
        let mailbox = set("pages", language);
        assert_eq!(full(&templates, &mailbox).text, full(&Templates::built_in(), &mailbox).text);
    }
}
