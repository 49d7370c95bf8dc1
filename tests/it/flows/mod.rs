pub(crate) mod deposit;
mod offers;
mod own;
pub(crate) mod retrieval;
mod review;
mod sending;

use std::time::Duration;

use afterbeep::flow::{Action, Cue, Ended, Event, Flow, Prompt};
use afterbeep::mailbox::{MessageId, Said, Take};
use uuid::Uuid;

/// Plays the caller's lines of a script to a flow and checks the server's lines.
///
/// The script is both the input and the expected outcome: every other line is echoed, server lines
/// are written by the flow, and the two texts must agree. A recording begins after its beep; what
/// happens before that is said on a line that begins with `early: ` instead of `caller: `.
#[track_caller]
pub(crate) fn dialogue(mut flow: Flow, script: &str) {
    let script = unindent(script);
    let mut heard = String::new();
    let mut beeping = false;

    for line in script.lines().filter(|line| !line.starts_with("server: ")) {
        heard += &format!("{line}\n");
        if beeping && !line.starts_with("early: ") {
            assert_eq!(flow.on(Event::Recording), []);
            beeping = false;
        }
        let actions = flow.on(event(&line.replace("early: ", "caller: ")));
        if !actions.is_empty() {
            beeping = actions.contains(&Action::Record) || actions.contains(&Action::Dictate);
            let actions: Vec<_> = actions.iter().map(describe).collect();
            heard += &format!("server: {}\n", actions.join(", "));
        }
    }

    assert!(heard == script, "the call went differently:\n\n{heard}\nexpected:\n\n{script}");
}

/// The menus of Asterisk's layout, as scripts name them.
const MENUS: [(&str, &str); 8] = [
    (
        "MAIN",
        "say Choice { what: Listen, key: '1' }, say Choice { what: Folders, key: '2' }, \
         say Choice { what: Own, key: '0' }, say Choice { what: Exit, key: '#' }, wait 5s",
    ),
    (
        "OWN",
        "say Choice { what: Unavailable, key: '1' }, say Choice { what: Busy, key: '2' }, \
         say Choice { what: Temporary, key: '4' }, say Choice { what: Name, key: '3' }, \
         say Choice { what: Pin, key: '5' }, say Choice { what: Exit, key: '*' }, wait 5s",
    ),
    (
        "RECORDED",
        "say Choice { what: Hear, key: '2' }, say Choice { what: Record, key: '1' }, \
         say Choice { what: Remove, key: '3' }, say Choice { what: Exit, key: '*' }, wait 5s",
    ),
    (
        "REVIEW",
        "say Choice { what: Hear, key: '2' }, say Choice { what: Record, key: '3' }, \
         say Choice { what: Keep, key: '1' }, say Choice { what: Cancel, key: '*' }, wait 5s",
    ),
    (
        "SHELVES",
        "say Choice { what: SavedFolder, key: '1' }, say Choice { what: WorkFolder, key: '2' }, \
         say Choice { what: FamilyFolder, key: '3' }, say Choice { what: FriendsFolder, key: '4' }, \
         say Choice { what: FifthFolder, key: '5' }, say Choice { what: SixthFolder, key: '6' }, \
         say Choice { what: Exit, key: '#' }, wait 5s",
    ),
    // The last message of its folder; others have a next one.
    (
        "AFTER",
        "say Choice { what: Repeat, key: '5' }, say Choice { what: Delete, key: '7' }, \
         say Choice { what: SaveTo, key: '9' }, say Choice { what: Send, key: '8' }, \
         say Choice { what: More, key: '3' }, say Choice { what: Exit, key: '#' }, wait 5s",
    ),
    (
        "MORE",
        "say Choice { what: Reply, key: '1' }, say Choice { what: Envelope, key: '3' }, \
         say Choice { what: Exit, key: '*' }, wait 5s",
    ),
    (
        "SENDING",
        "say Choice { what: Intro, key: '1' }, say Choice { what: SendNow, key: '2' }, \
         say Choice { what: Cancel, key: '*' }, wait 5s",
    ),
];

/// A menu's sentences by its name.
pub(crate) fn menu(name: &str) -> &'static str {
    MENUS.iter().find(|it| it.0 == name).unwrap().1
}

/// A dialogue in which menus have names, and several keys are typed at once.
#[track_caller]
pub(crate) fn conversation(flow: Flow, script: &str) {
    let mut script = script.to_owned();
    for (name, told) in MENUS {
        script = script.replace(name, told);
    }
    let mut lines = Vec::new();
    for line in script.lines() {
        match line.trim().strip_prefix("caller: types ") {
            Some(keys) => lines.extend(
                keys.chars()
                    .flat_map(|it| [format!("caller: presses {it}"), "server: wait 5s".into()]),
            ),
            None => lines.push(line.to_owned()),
        }
    }
    dialogue(flow, &lines.join("\n"));
}

fn event(line: &str) -> Event {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["caller:", "calls"] => Event::Start,
        ["caller:", "presses", key] => Event::Key(key.chars().next().unwrap()),
        ["caller:", "spoke", length] => recorded(length, length, Ended::Stopped),
        ["caller:", "breathed", length] => recorded(length, "0s", Ended::Stopped),
        ["caller:", "falls", "silent", "after", length] => recorded(length, length, Ended::Silence),
        ["caller:", "says", "nothing"] => recorded("1s", "0s", Ended::Silence),
        ["caller:", "reaches", length] => recorded(length, length, Ended::Longest),
        ["line:", "busy", "tone", "after", length] => recorded(length, length, Ended::Tone),
        ["caller:", "waits"] => Event::Idle,
        ["caller:", "hangs", "up"] => Event::HungUp,
        ["disk:", "fails"] => Event::NotRecorded,
        ["disk:", "filed"] => Event::Filed(true),
        ["disk:", "later"] => Event::Filed(false),
        ["sound:", "lost"] => Event::Unplayable,
        ["operator:", "there"] => Event::SentOn(true),
        ["operator:", "not", "there"] => Event::SentOn(false),
        ["operator:", "answers"] => Event::Connected(true),
        ["operator:", "does", "not", "answer"] => Event::Connected(false),
        ["operator:", "hangs", "up"] => Event::Parted,
        ["store:", "logged", "in"] => Event::LoggedIn,
        ["store:", "refused"] => Event::Refused,
        ["store:", "away"] => Event::OutOfReach,
        ["store:", "opened", ..] => Event::Opened(retrieval::contents(line)),
        ["store:", "found", ref missing @ ..] => {
            Event::Found(missing.iter().map(|it| it.to_string()).collect())
        }
        ["store:", "reached"] => Event::Reached(true),
        ["store:", "not", "reached"] => Event::Reached(false),
        ["store:", "done"] => Event::Done(true),
        ["store:", "not", "done"] => Event::Done(false),
        ["store:", "moved", id, "to", folder] => moved(id, folder, true),
        ["store:", "kept", id, "from", folder] => moved(id, folder, false),
        _ => panic!("not a line of a script: {line}"),
    }
}

fn recorded(length: &str, voiced: &str, ended: Ended) -> Event {
    Event::Recorded(take(seconds(length), seconds(voiced)), ended)
}

pub(crate) fn take(length: Duration, voiced: Duration) -> Take {
    Take { id: MessageId(Uuid::from_u128(length.as_millis())), length, voiced }
}

pub(crate) fn describe(action: &Action) -> String {
    match action {
        Action::Play(Prompt::Greeting) => "greet".into(),
        Action::Play(Prompt::Beep) => "beep".into(),
        Action::Play(Prompt::Take(take)) => format!("play {}", told(take)),
        Action::Play(Prompt::Say(phrase)) => format!("say {phrase:?}"),
        Action::Pause(time) => format!("wait {}s", time.as_secs()),
        Action::Record => "record".into(),
        Action::StopRecording => "stop".into(),
        Action::File(take, said) => format!("file {}{}", told(take), marks(*said)),
        Action::Mark(take, said) => format!("mark {}{}", told(take), marks(*said)),
        Action::SendOn => "send on".into(),
        Action::LetIn => "let in".into(),
        Action::Discard(take) => format!("discard {}", told(take)),
        Action::Play(Prompt::Message { id, from, pace }) => {
            let from = match from {
                Cue::Start => String::new(),
                Cue::Here { by_ms } => format!(" {by_ms:+}ms"),
            };
            let pace = match pace.percent() {
                100 => String::new(),
                percent => format!(" at {percent} %"),
            };
            format!("play {}{from}{pace}", short(*id))
        }
        Action::Play(Prompt::Spoken(what)) => format!("play {what:?}"),
        Action::Dictate => "dictate".into(),
        Action::Keep { take, what, days: None } => format!("keep {} as {what:?}", told(take)),
        Action::Keep { take, what, days: Some(days) } => {
            format!("keep {} as {what:?} for {days} days", told(take))
        }
        Action::Announce(take) => format!("announce {}", told(take)),
        Action::Remove(what) => format!("remove {what:?}"),
        Action::ChangePin(pin) => format!("change the PIN to {}", pin.reveal()),
        Action::Find(numbers) => format!("find {}", numbers.join(" ")),
        Action::Forward { message, to, intro } => {
            let with = intro.iter().map(|it| format!(" after {}", told(it))).collect::<String>();
            format!("forward {} to {}{with}", short(*message), to.join(" "))
        }
        Action::Reach(number) => format!("reach {number}"),
        Action::CallBack(number) => format!("call back {number}"),
        Action::LogIn { number, pin } => format!("log in {number} {}", pin.reveal()),
        Action::Open => "open".into(),
        Action::Move { message, folder } => {
            format!("move {} to {}", short(*message), folder.as_str())
        }
        Action::HangUp => "hang up".into(),
    }
}

fn marks(said: Said) -> &'static str {
    match (said.urgent, said.private) {
        (false, false) => "",
        (true, false) => " urgent",
        (false, true) => " private",
        (true, true) => " urgent private",
    }
}

fn moved(id: &str, folder: &str, done: bool) -> Event {
    let message = MessageId(Uuid::from_u128(id.parse().unwrap()));
    Event::Moved { message, folder: folder.parse().unwrap(), done }
}

fn short(id: MessageId) -> u128 {
    id.0.as_u128()
}

fn told(take: &Take) -> String {
    format!("{}s", take.length.as_secs())
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.trim_end_matches('s').parse().unwrap())
}

fn unindent(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}
