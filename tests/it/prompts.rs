//! The prompts: that all are there, sound alike, and that a bad one spoils nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use afterbeep::{
    audio::{Clip, Codec, g711::Law},
    mailbox::{self, settings::Hours},
    prompts::{self, PromptError, Prompts},
    say::{self, Phrase, Phrases, Who, number},
};
use ebur128::{EbuR128, Mode};
use jiff::{ToSpan, civil::date};

fn our_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts")
}

/// Languages of `prompts/` with their folders.
fn ours() -> Vec<PathBuf> {
    let folders = fs::read_dir(our_folder()).unwrap().map(|it| it.unwrap().path());
    folders.filter(|it| it.join("phrases.toml").exists()).collect()
}

fn every_phrase() -> Vec<Phrase> {
    [of_callers(), of_messages(), of_settings()].concat()
}

fn of_callers() -> Vec<Phrase> {
    use Phrase::*;
    let number = "0123456789abcdefghijklmnopqrstuvwxyz"[..32].to_owned();
    vec![
        NotAvailable { number: number.clone() },
        OnThePhone { number },
        NameNotAvailable,
        NameOnThePhone,
        Instructions,
        TooShort,
        NothingHeard,
        TryAgain,
        ReviewMenu,
        ReachOperator,
        Urgent(true),
        Urgent(false),
        Private(true),
        Private(false),
        Saved,
        Deleted,
        NotSaved,
        MailboxFull,
        SwitchedOff,
        NoSuchMailbox,
        OneMoment,
        Goodbye,
    ]
}

fn of_messages() -> Vec<Phrase> {
    use Phrase::*;
    vec![
        EnterMailbox,
        EnterPin,
        LoginIncorrect,
        OutOfReach,
        Counts { new: 21, urgent: 2, saved: 3 },
        Counts { new: 0, urgent: 0, saved: 0 },
        InFolder { folder: mailbox::Folder::New, count: 6 },
        InFolder { folder: mailbox::Folder::New, count: 0 },
        InFolder { folder: mailbox::Folder::Saved, count: 0 },
        InFolder { folder: mailbox::Folder::Deleted, count: 0 },
        InFolder { folder: mailbox::Folder::Work, count: 0 },
        InFolder { folder: mailbox::Folder::Family, count: 0 },
        InFolder { folder: mailbox::Folder::Friends, count: 0 },
        InFolder { folder: mailbox::Folder::Fifth, count: 0 },
        InFolder { folder: mailbox::Folder::Sixth, count: 0 },
        Choice { what: say::Choice::Listen, key: '1' },
        Message { place: 2, last: false, folder: mailbox::Folder::New, urgent: false },
        Message { place: 45, last: false, folder: mailbox::Folder::Saved, urgent: true },
        received(0),
        received(1),
        received(2),
        received(9),
        From(Who::Mailbox { mailbox: mailbox::MailboxId("m".into()), number: "1001".into() }),
        From(Who::Extension("1001".into())),
        From(Who::Phone("0556123456".into())),
        From(Who::Unknown),
        Length(Duration::from_secs(125)),
        MessageDeleted,
        MessageRestored,
        MessageKept,
        NoMore,
        NoneBefore,
        NotDone,
        NotPlayable,
    ]
}

fn of_settings() -> Vec<Phrase> {
    use Phrase::*;
    vec![
        FirstUse,
        EnterNewPin,
        EnterAgain,
        PinsDiffer,
        PinLength,
        PinEasy,
        PinChanged,
        SpeakGreeting,
        SpeakName,
        SpeakIntro,
        SpeakReply,
        HowManyDays,
        RecordingKept,
        RecordingRemoved,
        NothingRecorded,
        EnterNumbers,
        MessageSent,
        NotForwardable,
        NoReply,
        NoCallBack,
        NoMailbox { number: "1001".into() },
        IsPrivate,
        SentBy { number: "1001".into() },
        Unknown,
    ]
}

fn received(days_ago: i32) -> Phrase {
    let today = date(2026, 11, 27);
    let at = (today - days_ago.days()).at(15, 15, 0, 0);
    Phrase::Received { at, today, hours: Hours::TwentyFour }
}

fn samples(wav: &Path) -> Vec<i16> {
    let mut wav = hound::WavReader::open(wav).unwrap();
    let spec = wav.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 16_000, 16));
    wav.samples().collect::<Result<_, _>>().unwrap()
}

fn clips_of(folder: &Path) -> BTreeMap<String, Vec<i16>> {
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let wavs = files.filter(|it| it.extension().is_some_and(|it| it == "wav"));
    wavs.map(|it| (it.file_stem().unwrap().to_str().unwrap().to_owned(), samples(&it))).collect()
}

fn loudness(samples: &[i16]) -> f64 {
    let mut meter = EbuR128::new(1, 16_000, Mode::I).unwrap();
    meter.add_frames_i16(samples).unwrap();
    meter.loudness_global().unwrap()
}

fn languages(prompts: &Prompts) -> Vec<&str> {
    let mut languages: Vec<_> = prompts.languages().collect();
    languages.sort_unstable();
    languages
}

fn names(clips: &[std::sync::Arc<Clip>]) -> Vec<&str> {
    clips.iter().map(|it| &*it.name).collect()
}

#[test]
fn every_phrase_of_every_language_has_all_its_clips() {
    let prompts = Prompts::load(None).unwrap();
    for folder in ours() {
        let language = folder.file_name().unwrap().to_str().unwrap();
        let phrases = Phrases::parse(&fs::read_to_string(folder.join("phrases.toml")).unwrap());
        let phrases = phrases.unwrap();
        for phrase in every_phrase() {
            let mut wanted = phrases.clips(&phrase);
            assert!(!wanted.is_empty(), "{language}: nothing is said for {phrase:?}");
            wanted.retain(|it| *it != say::NAME);
            assert_eq!(names(&prompts.clips(language, &phrase)), wanted, "{language}");
        }
        assert_eq!(every_phrase().iter().map(Phrase::name).collect::<Vec<_>>(), Phrase::NAMES);
        let there = clips_of(&folder);
        for clip in phrases.names() {
            assert!(there.contains_key(clip), "{language}/{clip}.wav is missing");
        }
    }
}

#[test]
fn every_clip_has_its_text_and_every_text_its_clip() {
    for folder in ours() {
        let told: toml::Table =
            fs::read_to_string(folder.join("phrases.toml")).unwrap().parse().unwrap();
        let texts: BTreeSet<_> = told["clips"].as_table().unwrap().keys().cloned().collect();
        let clips: BTreeSet<_> = clips_of(&folder).into_keys().collect();
        assert_eq!(texts, clips, "{}", folder.display());
    }
}

#[test]
fn every_count_in_english_has_its_clips() {
    let clips = clips_of(&our_folder().join("en"));
    for count in (0..1_200).chain((0..=number::LARGEST).step_by(977)) {
        for clip in number::english(count) {
            assert!(clips.contains_key(clip), "{clip} of {count}");
        }
    }
}

#[test]
fn every_count_in_french_has_its_clips() {
    let clips = clips_of(&our_folder().join("fr"));
    for count in (0..1_200).chain((0..=number::LARGEST).step_by(977)) {
        for gender in [number::Gender::Masculine, number::Gender::Feminine] {
            for clip in number::french(count, gender) {
                assert!(clips.contains_key(clip), "{clip} of {count}");
            }
        }
    }
}

/// EBU R 128: a caller does not reach for the volume between two clips.
#[test]
fn the_clips_of_a_voice_are_equally_loud() {
    for folder in ours() {
        let clips = clips_of(&folder);
        let joined: Vec<i16> = clips.values().flatten().copied().collect();
        let all = loudness(&joined);
        assert!((all + 23.0).abs() < 1.0, "{}: {all:.1} LUFS", folder.display());

        let long = clips.iter().filter(|(_, it)| it.len() > 16_000 * 2 / 5);
        let each: Vec<_> = long.map(|(name, it)| (name, loudness(it))).collect();
        for (one, its) in &each {
            for (other, others) in &each {
                assert!((its - others).abs() < 3.0, "{one} {its:.1}, {other} {others:.1} LUFS");
            }
        }
        assert!(each.len() > 40, "only {} clips were measured", each.len());
    }
}

#[test]
fn no_clip_is_clipped_or_begins_or_ends_with_a_click() {
    for (name, clip) in ours().iter().flat_map(|it| clips_of(it)) {
        let peak = clip.iter().map(|it| it.unsigned_abs()).max().unwrap();
        assert!(peak < 29_205, "{name} peaks at {peak}, above -1 dBFS");
        for end in [clip[0], clip[clip.len() - 1]] {
            assert!(end.unsigned_abs() < 50, "{name} begins or ends at {end}");
        }
    }
}

#[test]
fn the_program_sounds_like_its_folder() {
    let inside = Prompts::load(None).unwrap();
    let outside = Prompts::load(Some(&our_folder())).unwrap();
    for phrase in every_phrase() {
        for language in ["en", "fr"] {
            let bytes = |prompts: &Prompts| -> Vec<_> {
                let clips = prompts.clips(language, &phrase);
                clips.iter().map(|it| it.encoded(Codec::Pcmu).to_vec()).collect()
            };
            assert_eq!(bytes(&inside), bytes(&outside), "{phrase:?}");
        }
    }
    assert_eq!(languages(&outside), ["en", "fr"], "nothing else is a language");
}

/// A folder of prompts as an operator may have it: ours, copied, for a test to spoil.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(languages: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for language in languages {
            fs::create_dir(folder.path(language)).unwrap();
            for file in fs::read_dir(our_folder().join("en")).unwrap() {
                let file = file.unwrap();
                let copy = folder.path(language).join(file.file_name());
                fs::copy(file.path(), copy).unwrap();
            }
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Prompts, PromptError> {
        Prompts::load(Some(self.0.path()))
    }
}

#[test]
fn where_a_clip_is_missing_or_cannot_be_used_the_built_in_one_is_heard() {
    let folder = Folder::of(&["en"]);
    let theirs = fs::read(folder.path("en/one-moment.wav")).unwrap();
    for clip in clips_of(&folder.path("en")).keys() {
        fs::write(folder.path(&format!("en/{clip}.wav")), &theirs).unwrap();
    }
    fs::remove_file(folder.path("en/to-listen.wav")).unwrap();
    fs::write(folder.path("en/to-delete.wav"), b"RIFF and then nothing").unwrap();
    let (theirs, ours) = (folder.load().unwrap(), Prompts::load(None).unwrap());
    let lengths = |prompts: &Prompts| -> Vec<_> {
        prompts.clips("en", &Phrase::ReviewMenu).iter().map(|it| it.length()).collect()
    };
    let moment = ours.clips("en", &Phrase::OneMoment)[0].length();
    let built_in = lengths(&ours);
    assert_eq!(lengths(&theirs), [moment, built_in[1], moment, moment, moment, built_in[5]]);
}

#[test]
fn without_a_built_in_one_a_missing_clip_is_left_out_and_the_rest_is_played() {
    let folder = Folder::of(&["de"]);
    fs::remove_file(folder.path("de/to-listen.wav")).unwrap();
    fs::remove_file(folder.path("de/0.wav")).unwrap();
    let prompts = folder.load().unwrap();
    let menu = prompts.clips("de", &Phrase::ReviewMenu);
    let left = ["to-keep", "to-record-again", "to-mark-urgent", "to-mark-private", "to-delete"];
    assert_eq!(names(&menu), left);
    let greeting = prompts.clips("de", &Phrase::NotAvailable { number: "101".into() });
    assert_eq!(names(&greeting), ["person-at-extension", "1", "1", "is-not-available"]);
}

#[test]
fn a_missing_clip_is_heard_once_its_text_was_spoken() {
    let folder = Folder::of(&["de"]);
    fs::remove_file(folder.path("de/to-listen.wav")).unwrap();
    fs::write(folder.path("de/to-delete.wav"), b"RIFF and then nothing").unwrap();
    let prompts = folder.load().unwrap();
    let gaps = prompts.gaps();
    let told: Vec<_> = gaps.iter().map(|it| (it.language.as_str(), it.name.as_str())).collect();
    assert_eq!(told, [("de", "to-delete"), ("de", "to-listen")]);
    assert!(gaps[1].text.starts_with("To listen"), "{}", gaps[1].text);
    prompts.fill(&gaps[1], vec![500; 16_000], 16_000);
    let menu = prompts.clips("de-AT", &Phrase::ReviewMenu);
    let marks = ["to-mark-urgent", "to-mark-private"];
    let wanted = ["to-keep", "to-listen", "to-record-again"].into_iter().chain(marks);
    assert_eq!(names(&menu), wanted.collect::<Vec<_>>());
    assert_eq!(menu[1].length(), Duration::from_secs(1));
    assert!(Prompts::load(None).unwrap().gaps().is_empty(), "our own languages have all clips");
}

#[test]
fn a_clip_that_cannot_be_used_is_left_out() {
    let folder = Folder::of(&["de"]);
    let stereo = hound::WavSpec {
        channels: 2,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    hound::WavWriter::create(folder.path("de/to-keep.wav"), stereo).unwrap().finalize().unwrap();
    fs::write(folder.path("de/to-listen.wav"), b"RIFF and then nothing").unwrap();
    fs::write(folder.path("de/to-record-again.wav"), vec![0; 9 << 20]).unwrap();
    for clip in ["de/to-mark-urgent.wav", "de/to-mark-private.wav"] {
        fs::write(folder.path(clip), b"").unwrap();
    }
    let cut = fs::read(folder.path("de/to-delete.wav")).unwrap();
    fs::write(folder.path("de/to-delete.wav"), &cut[..cut.len() / 2]).unwrap();
    fs::remove_file(folder.path("de/goodbye.wav")).unwrap();
    fs::create_dir(folder.path("de/goodbye.wav")).unwrap();
    let prompts = folder.load().unwrap();
    assert!(prompts.clips("de", &Phrase::ReviewMenu).is_empty());
    assert!(prompts.clips("de", &Phrase::Goodbye).is_empty());
    assert_eq!(names(&prompts.clips("de", &Phrase::Saved)), ["message-saved"]);
}

#[test]
fn a_language_is_found_by_its_tag_and_english_stands_in_for_the_rest() {
    let folder = Folder::of(&["de"]);
    fs::copy(folder.path("de/one-moment.wav"), folder.path("de/goodbye.wav")).unwrap();
    let prompts = folder.load().unwrap();
    let goodbye = |language| prompts.clips(language, &Phrase::Goodbye)[0].length();
    assert_ne!(goodbye("de"), goodbye("en"));
    assert_eq!(goodbye("de-CH"), goodbye("de"));
    assert_ne!(goodbye("fr"), goodbye("en"), "French is built in");
    assert_eq!(goodbye("en-GB"), goodbye("en"));
    assert_eq!(goodbye("tlh"), goodbye("en"));
    assert_eq!(goodbye(""), goodbye("en"));
}

#[test]
fn another_voice_for_our_language_needs_no_phrases_and_other_folders_are_passed_over() {
    let folder = Folder::of(&["en", "drafts"]);
    fs::remove_file(folder.path("en/phrases.toml")).unwrap();
    fs::remove_file(folder.path("drafts/phrases.toml")).unwrap();
    fs::copy(folder.path("en/one-moment.wav"), folder.path("en/goodbye.wav")).unwrap();
    let prompts = folder.load().unwrap();
    let length = |phrase| prompts.clips("en", &phrase)[0].length();
    assert_eq!(length(Phrase::Goodbye), length(Phrase::OneMoment));
    assert_eq!(languages(&prompts), ["en", "fr"]);
}

/// Phrases written before there were as many: what they lack is heard all the same.
const OLD: &str = "[phrases]\ngoodbye = [\"one-moment\", \"goodbye\"]\n";

#[test]
fn a_sentence_that_our_language_lacks_is_the_built_in_one() {
    let folder = Folder::of(&["fr"]);
    fs::write(folder.path("fr/phrases.toml"), OLD).unwrap();
    let (theirs, ours) = (folder.load().unwrap(), Prompts::load(None).unwrap());
    assert_eq!(names(&theirs.clips("fr", &Phrase::Goodbye)), ["one-moment", "goodbye"]);
    let counts = Phrase::Counts { new: 2, urgent: 1, saved: 0 };
    assert_eq!(names(&theirs.clips("fr", &counts)), names(&ours.clips("fr", &counts)));
}

#[test]
fn a_sentence_that_another_language_lacks_is_heard_in_the_next_best_one() {
    let folder = Folder::of(&["de", "fr-CA"]);
    for language in ["de", "fr-CA"] {
        fs::write(folder.path(language).join("phrases.toml"), OLD).unwrap();
    }
    let prompts = folder.load().unwrap();
    for (language, stands_in) in [("de", "en"), ("de-CH", "en"), ("fr-CA", "fr")] {
        assert_eq!(names(&prompts.clips(language, &Phrase::Goodbye)), ["one-moment", "goodbye"]);
        let length = |language| -> Vec<_> {
            let clips = prompts.clips(language, &Phrase::Length(Duration::from_secs(6)));
            clips.iter().map(|it| (it.name.clone(), it.length())).collect()
        };
        assert_eq!(length(language), length(stands_in), "{language}");
    }
}

#[test]
fn wrong_phrases_and_an_unreadable_folder_are_named() {
    let folder = Folder::of(&["en"]);
    fs::write(folder.path("en/phrases.toml"), "[phrases]\ngood-bye = []\n").unwrap();
    let error = folder.load().unwrap_err();
    assert!(matches!(error, PromptError::Phrases { .. }));
    assert!(error.to_string().contains("en/phrases.toml"), "{error}");
    let error = Prompts::load(Some(&folder.path("nowhere"))).unwrap_err();
    assert!(matches!(error, PromptError::Folder { .. }));
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_clip_plays_as_long_as_its_file_whatever_its_rate() {
    let folder = Folder::of(&["en"]);
    for rate in [8_000, 16_000, 22_050, 44_100, 48_000] {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(folder.path("en/goodbye.wav"), spec).unwrap();
        for at in 0..rate * 3 / 2 {
            wav.write_sample((at % 100) as i16).unwrap();
        }
        wav.finalize().unwrap();
        let goodbye = folder.load().unwrap().clips("en", &Phrase::Goodbye)[0].length();
        assert!(goodbye.as_millis().abs_diff(1_500) <= 1, "{rate} Hz: {goodbye:?}");
    }
}

/// Power at one frequency, as a share of all.
fn share(samples: &[i16], hz: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (at, &sample) in samples.iter().enumerate() {
        let turn = std::f64::consts::TAU * hz * at as f64 / 8_000.0;
        let sample = f64::from(sample);
        re += sample * turn.cos();
        im += sample * turn.sin();
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64)
}

#[test]
fn the_beep_is_a_short_soft_tone_in_both_codecs() {
    let beep = Prompts::load(None).unwrap().beep();
    assert_eq!(beep.length().as_millis(), 400);
    for (codec, law) in [(Codec::Pcmu, Law::Mu), (Codec::Pcma, Law::A)] {
        let heard: Vec<i16> = beep.encoded(codec).iter().map(|&it| law.decode(it)).collect();
        assert!(share(&heard, 1_000.0) > 0.95, "{}", share(&heard, 1_000.0));
        let peak = f64::from(heard.iter().map(|it| it.unsigned_abs()).max().unwrap());
        let level = 20.0 * (peak / 32_768.0).log10();
        assert!((level + 16.0).abs() < 0.5, "{level:.1} dBFS");
        assert!(heard[..4].iter().chain(&heard[3_196..]).all(|it| it.unsigned_abs() < 100));
    }
}

#[test]
fn languages_beyond_the_limit_are_passed_over() {
    let folder = Folder::of(&[]);
    for at in 0..80 {
        let language = folder.path(&format!("x{at:02}"));
        fs::create_dir(&language).unwrap();
        fs::copy(our_folder().join("en/phrases.toml"), language.join("phrases.toml")).unwrap();
    }
    assert_eq!(folder.load().unwrap().languages().count(), 64 + 2, "and ours");
}

#[test]
fn a_folder_is_checked_for_what_callers_would_stumble_over() {
    let folder = Folder::of(&["en", "de"]);
    let change = |clip: &str, rate: u32, gain: f64| {
        let louder = samples(&folder.path(clip)).into_iter().map(|it| f64::from(it) * gain);
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(folder.path(clip), spec).unwrap();
        louder.for_each(|it| wav.write_sample(it as i16).unwrap());
        wav.finalize().unwrap();
    };
    change("en/to-keep.wav", 16_000, 2.0);
    change("en/to-listen.wav", 16_000, 0.5);
    change("en/to-delete.wav", 16_000, 0.0);
    change("en/goodbye.wav", 4_000, 1.0);
    fs::remove_file(folder.path("en/7.wav")).unwrap();
    fs::remove_file(folder.path("de/7.wav")).unwrap();
    fs::rename(folder.path("de/1.wav"), folder.path("de/eins.wav")).unwrap();
    let sentences = fs::read_to_string(folder.path("de/phrases.toml")).unwrap();
    fs::write(folder.path("de/phrases.toml"), sentences.replace("\n7 = ", "\nseven = ")).unwrap();
    for language in ["de", "en"] {
        let path = folder.path(language).join("phrases.toml");
        let phrases = fs::read_to_string(&path).unwrap();
        fs::write(path, phrases.replace("enter-pin = [\"enter-pin\"]\n", "")).unwrap();
    }

    let prompts::Report { languages, findings } = prompts::check(folder.0.path()).unwrap();
    let count = clips_of(&our_folder().join("en")).len();
    assert_eq!(languages, [("de".to_owned(), count - 1), ("en".to_owned(), count - 1)]);
    let problems = findings.iter().map(|it| {
        let problem = format!("{:?}", it.problem);
        format!("{} {}", it.clip, problem.split('(').next().unwrap())
    });
    assert_eq!(
        problems.collect::<Vec<_>>(),
        [
            "de/1 Spoken",
            "de/7 LeftOut",
            "de/eins Unused",
            "de/enter-pin NotTranslated",
            "de/enter-pin Unused",
            "en/7 Missing",
            "en/enter-pin NoSentence",
            "en/goodbye Unusable",
            "en/to-delete Silent",
            "en/to-keep Loud",
            "en/to-listen Soft",
        ]
    );
    let ours = prompts::check(&our_folder()).unwrap();
    assert_eq!(ours.findings, [], "our own voices are as they should be");
}
