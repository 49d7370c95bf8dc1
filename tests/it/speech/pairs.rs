//! Getting a translation model, whatever happens on the way.

use std::collections::HashMap;
use std::path::Path;

use afterbeep::speech::model::{FetchError, Sources, State, fetch_pair, list_pairs};
use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// A list of models with their files.
#[derive(Default)]
struct Shelf {
    records: Vec<Value>,
    files: HashMap<String, Vec<u8>>,
}

impl Shelf {
    /// A file of a version of English to French.
    fn add(&mut self, kind: &str, version: &str, content: &[u8], filter: &str) -> &mut Self {
        let location = format!("files/{kind}-{version}.zst");
        let packed = packed(content);
        self.records.push(json!({
            "name": format!("{kind}.enfr"), "sourceLanguage": "en", "targetLanguage": "fr",
            "fileType": kind, "version": version, "filter_expression": filter,
            "decompressedHash": sha256(content), "decompressedSize": content.len(),
            "attachment": {
                "hash": sha256(&packed), "size": packed.len(), "location": location,
                "filename": format!("{kind}.zst"), "mimetype": "application/zstd",
            },
        }));
        self.files.insert(format!("/{location}"), packed);
        self
    }

    async fn serve(mut self) -> Sources {
        let list = json!({ "data": self.records }).to_string();
        self.files.insert("/records".into(), list.into_bytes());
        let router = Router::new().fallback(file).with_state(std::sync::Arc::new(self.files));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let attachments = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let records = format!("{attachments}/records");
        Sources { records, attachments, pips: vec![], ..Sources::default() }
    }
}

async fn file(
    Shared(files): Shared<std::sync::Arc<HashMap<String, Vec<u8>>>>,
    uri: Uri,
) -> Result<Vec<u8>, StatusCode> {
    files.get(uri.path()).cloned().ok_or(StatusCode::NOT_FOUND)
}

/// Zstandard, as it packs what it cannot make smaller (RFC 8878 §3.1.1.2): one raw block.
fn packed(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let block = u32::from(length) << 3 | 1;
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    packed.extend(&block.to_le_bytes()[..3]);
    packed.extend(content);
    packed
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect()
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join("en-fr").join(name)).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_model_that_is_for_everybody_and_complete_is_fetched() {
    let mut shelf = Shelf::default();
    shelf.add("model", "1.0", b"old", "").add("vocab", "1.0", b"old words", "");
    shelf.add("model", "2.1", b"weights", "").add("vocab", "2.1", b"words", "");
    shelf.add("lex", "2.1", b"short list", "");
    shelf.add("model", "3.0a1", b"a trial", "").add("vocab", "3.0a1", b"a trial", "");
    shelf.add("model", "3.0", b"for some", "env.channel == 'nightly'");
    shelf.add("model", "4.0", b"without words", "");
    let sources = shelf.serve().await;
    let dir = tempfile::tempdir().unwrap();
    let mut done = Vec::new();
    let path = fetch_pair("en-fr", dir.path(), &sources, |it| done.push((it.done, it.total)));
    assert_eq!(path.await.unwrap(), dir.path().join("en-fr"));
    let read = |name| read(dir.path(), name);
    assert_eq!(
        [read("model.bin"), read("source.spm"), read("target.spm")],
        ["weights", "words", "words"]
    );
    assert_eq!(names(dir.path()), ["en-fr"]);
    let (last, total) = done.last().unwrap();
    assert_eq!(last, total);

    let [installed] = &list_pairs(dir.path())[..] else { panic!("there is one") };
    assert_eq!(
        (installed.name.as_str(), installed.state, installed.size),
        ("en-fr", State::Published, 17)
    );
    std::fs::write(dir.path().join("en-fr/model.bin"), "damaged").unwrap();
    assert_eq!(list_pairs(dir.path())[0].state, State::Different);
    fetch_pair("en-fr", dir.path(), &sources, |_| {}).await.unwrap();
    assert_eq!(list_pairs(dir.path())[0].state, State::Published);
    std::fs::remove_file(dir.path().join("en-fr/SHA256SUMS")).unwrap();
    assert_eq!(list_pairs(dir.path())[0].state, State::Unknown);
}

#[tokio::test]
async fn words_of_two_languages_may_come_in_two_files() {
    let mut shelf = Shelf::default();
    shelf.add("model", "2.0", b"weights", "");
    shelf.add("srcvocab", "2.0", b"English", "").add("trgvocab", "2.0", b"French", "");
    let dir = tempfile::tempdir().unwrap();
    fetch_pair("en-fr", dir.path(), &shelf.serve().await, |_| {}).await.unwrap();
    let words = [read(dir.path(), "source.spm"), read(dir.path(), "target.spm")];
    assert_eq!(words, ["English", "French"]);
}

#[tokio::test]
async fn what_does_not_sum_up_is_refused_and_leaves_nothing() {
    let spoil = |what: fn(&mut Shelf)| {
        let mut shelf = Shelf::default();
        shelf.add("model", "2.0", b"weights", "").add("vocab", "2.0", b"words", "");
        what(&mut shelf);
        shelf
    };
    let damaged = spoil(|it| {
        it.files.values_mut().for_each(|it| *it.last_mut().unwrap() ^= 1);
    });
    let swapped = spoil(|it| it.records[0]["decompressedHash"] = sha256(b"other").into());
    for shelf in [damaged, swapped] {
        let dir = tempfile::tempdir().unwrap();
        let refused = fetch_pair("en-fr", dir.path(), &shelf.serve().await, |_| {}).await;
        assert!(matches!(refused, Err(FetchError::WrongSum { .. })), "{refused:?}");
        assert_eq!(names(dir.path()), [""; 0]);
    }
    let larger = spoil(|it| it.records[0]["decompressedSize"] = 3.into());
    let dir = tempfile::tempdir().unwrap();
    let refused = fetch_pair("en-fr", dir.path(), &larger.serve().await, |_| {}).await;
    assert!(matches!(refused, Err(FetchError::Conversion(_))), "{refused:?}");
}

#[tokio::test]
async fn what_is_not_there_is_said_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let fetch = async |name: &str, sources: &Sources| {
        fetch_pair(name, dir.path(), sources, |_| {}).await.unwrap_err().to_string()
    };
    let empty = Shelf::default().serve().await;
    assert_eq!(fetch("en-fr", &empty).await, "there is no translation model en-fr at its source");
    let junk = Sources { records: format!("{}/files", empty.attachments), ..empty.clone() };
    assert!(fetch("en-fr", &junk).await.ends_with("by hand"));
    let away = Sources { records: "http://127.0.0.1:1/records".into(), ..empty };
    let told = fetch("en-fr", &away).await;
    assert_eq!(
        told,
        "http://127.0.0.1:1/records cannot be reached; the file can also be put in place by hand"
    );
    let told = fetch("en-pt", &away).await;
    assert!(told.contains("no pip was found"), "{told}");
    assert_eq!(names(dir.path()), [""; 0]);
}
