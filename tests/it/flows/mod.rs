pub(crate) mod deposit;
mod retrieval;

use std::time::Duration;

use afterbeep::flow::{Action, Cue, Ended, Event, Flow, Prompt};
use afterbeep::mailbox::{MessageId, Take};
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
            beeping = actions.contains(&Action::Record);
            let actions: Vec<_> = actions.iter().map(describe).collect();
            heard += &format!("server: {}\n", actions.join(", "));
        }
    }

    assert!(heard == script, "the call went differently:\n\n{heard}\nexpected:\n\n{script}");
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
        ["store:", "logged", "in"] => Event::LoggedIn,
        ["store:", "refused"] => Event::Refused,
        ["store:", "away"] => Event::OutOfReach,
        ["store:", "opened", ..] => Event::Opened(retrieval::contents(line)),
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

fn describe(action: &Action) -> String {
    match action {
        Action::Play(Prompt::Greeting) => "greet".into(),
        Action::Play(Prompt::Beep) => "beep".into(),
        Action::Play(Prompt::Take(take)) => format!("play {}", told(take)),
        Action::Play(Prompt::Say(phrase)) => format!("say {phrase:?}"),
        Action::Pause(time) => format!("wait {}s", time.as_secs()),
        Action::Record => "record".into(),
        Action::StopRecording => "stop".into(),
        Action::File(take) => format!("file {}", told(take)),
        Action::Discard(take) => format!("discard {}", told(take)),
        Action::Play(Prompt::Message { id, from: Cue::Start }) => format!("play {}", short(*id)),
        Action::Play(Prompt::Message { id, from: Cue::Here { by_ms } }) => {
            format!("play {} {by_ms:+}ms", short(*id))
        }
        Action::LogIn { number, pin } => format!("log in {number} {}", pin.reveal()),
        Action::Open => "open".into(),
        Action::Move { message, folder } => {
            format!("move {} to {}", short(*message), folder.as_str())
        }
        Action::HangUp => "hang up".into(),
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
