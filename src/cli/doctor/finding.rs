//! What was found, and how it is told. Pure.

use serde::Serialize;

/// From one line per check: the enum, all of it in order, and what each is called.
macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $check:ident = $name:literal;)+) => {
        /// What is looked at, in the order in which it is told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub(super) enum Check {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $check,)+
        }

        impl Check {
            /// All of them.
            pub(super) const ALL: &[Check] = &[$(Check::$check),+];

            /// As it is told.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Check::$check => $name,)+
                }
            }
        }
    };
}

checks! {
    /// The settings file.
    Settings = "settings";
    /// The data folder.
    Data = "data";
    /// Files with passwords and keys in them.
    Secrets = "secrets";
    /// SQLite or PostgreSQL.
    Database = "database";
    /// The time.
    Clock = "clock";
    /// Recordings, in their folder and in S3.
    Recordings = "recordings";
    /// Ports and passwords of calls.
    Sip = "sip";
    /// Ports of their sound.
    Sound = "sound";
    /// The web side, and whether a server runs.
    Web = "web";
    /// Where mail goes.
    Mail = "mail";
    /// What it says and where its links lead.
    Letters = "letters";
    /// What callers hear.
    Prompts = "prompts";
    /// What writes messages down.
    Speech = "speech";
    /// What translates.
    Translation = "translation";
    /// What speaks texts.
    Synthesis = "synthesis";
    /// Mailboxes that contradict themselves.
    Mailboxes = "mailboxes";
    /// Work that waits or was given up.
    Jobs = "jobs";
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but somebody may wish it otherwise.
    Warn,
    /// Calls, messages or mails are lost, late or refused.
    Fail,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) verdict: Verdict,
    /// What was found, a sentence.
    pub(super) found: String,
    /// What to do about it, in a line; nothing where nothing need be done.
    pub(super) remedy: Option<String>,
}

/// A finding and what was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// What was looked at.
    pub(super) check: Check,
    /// What was found.
    #[serde(flatten)]
    pub(super) finding: Finding,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, found: found.into(), remedy: None }
    }

    /// Somebody may wish it otherwise.
    pub(super) fn warn(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work.
    pub(super) fn fail(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// An error, with its causes, as a failure.
    pub(super) fn error(error: impl Into<anyhow::Error>, remedy: impl Into<String>) -> Self {
        Self::fail(format!("{:#}", error.into()), remedy)
    }
}

impl Line {
    /// As people read it, with its remedy below; nothing a terminal obeys is in it.
    pub(super) fn text(&self) -> String {
        let Self { check, finding: Finding { verdict, found, remedy } } = self;
        let verdict = match verdict {
            Verdict::Ok => "OK",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        };
        let plain = crate::cli::table::plain;
        let first = format!("{verdict:4}  {:11}  {}", check.name(), plain(found));
        match remedy {
            None => first,
            Some(remedy) => format!("{first}\n{:19}{}", "", plain(remedy)),
        }
    }
}

/// The last sentence: how many things are not as they should be.
pub(super) fn summary(lines: &[Line]) -> String {
    let count = |verdict| lines.iter().filter(|it| it.finding.verdict == verdict).count();
    let things = |count: usize| match count {
        1 => "one thing".to_owned(),
        count => format!("{count} things"),
    };
    match (count(Verdict::Fail), count(Verdict::Warn)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warned) => format!("All works; {} to look at.", things(warned)),
        (failed, 0) => format!("{} must be put right.", things(failed)),
        (failed, warned) => {
            format!("{} must be put right; {} to look at.", things(failed), things(warned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(check: Check, finding: Finding) -> Line {
        Line { check, finding }
    }

    #[test]
    fn a_line_tells_what_was_found_and_below_it_what_helps() {
        for (line, text) in [
            (
                line(Check::Data, Finding::ok("data can be written to.")),
                "OK    data         data can be written to.",
            ),
            (
                line(Check::Translation, Finding::warn("A\x1b[2J\nB", "C")),
                "WARN  translation  A [2J B\n                   C",
            ),
            (
                line(Check::Sip, Finding::fail("Taken.", "Free it.")),
                "FAIL  sip          Taken.\n                   Free it.",
            ),
        ] {
            assert_eq!(line.text(), text);
        }
    }

    #[test]
    fn a_line_for_a_program_has_the_same_in_it() {
        let lines =
            [line(Check::Web, Finding::warn("A.", "B.")), line(Check::Jobs, Finding::ok("C."))];
        let json = serde_json::json!([
            { "check": "web", "verdict": "WARN", "found": "A.", "remedy": "B." },
            { "check": "jobs", "verdict": "OK", "found": "C.", "remedy": null },
        ]);
        assert_eq!(serde_json::to_value(lines).unwrap(), json);
    }

    #[test]
    fn the_worst_decides_and_everything_is_counted() {
        let (ok, warn, fail) = (Finding::ok("x"), Finding::warn("x", "y"), Finding::fail("x", "y"));
        assert!(Verdict::Ok < Verdict::Warn && Verdict::Warn < Verdict::Fail);
        for (found, told) in [
            (vec![&ok], "All is well."),
            (vec![&ok, &warn, &warn], "All works; 2 things to look at."),
            (vec![&fail, &ok], "one thing must be put right."),
            (vec![&fail, &warn, &fail], "2 things must be put right; one thing to look at."),
        ] {
            let lines: Vec<_> = found.into_iter().map(|it| line(Check::Data, it.clone())).collect();
            assert_eq!(summary(&lines), told);
        }
    }

    #[test]
    fn everything_is_looked_at_once_in_order() {
        assert!(Check::ALL.is_sorted());
        assert!(Check::ALL.windows(2).all(|it| it[0] != it[1]));
    }
}
