//! What Asterisk's own tests hold its voicemail to (`tests/apps/voicemail` of its test suite), line by
//! line, under the names they have there. Where we differ on purpose a test says how.

mod hearing;
mod leaving;
mod own;

use afterbeep::flow::retrieval::Settings;
use afterbeep::flow::{Contents, Event, Flow, Policy, Retrieval};

use crate::flows::retrieval::contents;

fn stranger() -> Flow {
    Flow::Retrieval(Box::new(Retrieval::stranger(Settings::default(), Policy::default())))
}

fn owner() -> Flow {
    Flow::Retrieval(Box::new(Retrieval::owner(Settings::default(), Policy::default())))
}

/// At the main menu of a mailbox with these messages.
fn opened(line: &str) -> Flow {
    opened_with(Settings::default(), contents(line))
}

fn opened_with(settings: Settings, contents: Contents) -> Flow {
    let mut flow = Flow::Retrieval(Box::new(Retrieval::owner(settings, Policy::default())));
    flow.on(Event::Start);
    flow.on(Event::Opened(contents));
    flow
}

/// Logged in with a PIN that somebody else chose.
fn new_user() -> Flow {
    let mut flow = stranger();
    flow.on(Event::Start);
    for key in "1#1#".chars() {
        flow.on(Event::Key(key));
    }
    flow.on(Event::LoggedIn);
    flow.on(Event::Opened(Contents { first_use: true, ..contents("store: opened") }));
    flow
}
