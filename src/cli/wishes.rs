//! The settings a mailbox and its tenant can have, as options of their verbs.

use clap::Args;

use crate::{admin::settings, mailbox::Settings};

/// Settings of a tenant or a mailbox; "inherit" takes one away, so that the level above applies.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Voicemail")]
pub struct Wishes {
    /// Messages it holds, the trash not counted; 0 plays the greeting and takes none (at first: 100)
    #[arg(long, value_name = "N")]
    limit: Option<String>,
    /// At the limit refuse new messages, instead of the oldest giving way (at first: no)
    #[arg(long, value_name = "yes|no")]
    disable_rotate: Option<String>,
    /// Tell owners who called before each message (at first: yes)
    #[arg(long, value_name = "yes|no")]
    play_cid: Option<String>,
    /// Tell owners when each message was left (at first: yes)
    #[arg(long, value_name = "yes|no")]
    play_envelope: Option<String>,
    /// Let owners hear the latest message first (at first: no)
    #[arg(long, value_name = "yes|no")]
    newest_first: Option<String>,
    /// Ask owners for one more key before a message is deleted (at first: no)
    #[arg(long, value_name = "yes|no")]
    confirm_delete: Option<String>,
    /// What the owner is doing, such as available, lunch or on-holiday: greetings may go by it
    #[arg(long, value_name = "PROFILE", help_heading = GREETINGS)]
    presence: Option<String>,
    /// When the owner is there: always, or hours like "mo-fr 09:00-17:30, sa 10:00-14:00"
    #[arg(long, value_name = "HOURS", help_heading = GREETINGS)]
    opening: Option<String>,
    /// When the owner is not: none, or days like "12-25, 2026-12-24..2027-01-02"
    #[arg(long, value_name = "DAYS", help_heading = GREETINGS)]
    holidays: Option<String>,
    /// Which greeting callers hear: default, or rules like "temporary, reason:busy=busy,
    /// time:closed=closed, unavailable"
    #[arg(long, value_name = "RULES", help_heading = GREETINGS)]
    greetings: Option<String>,
    /// Let callers leave messages (at first: yes)
    #[arg(long, value_name = "yes|no", help_heading = CALLERS)]
    takes_messages: Option<String>,
    /// What callers get while they cannot: a sentence, or 480 (at first: announcement)
    #[arg(long, value_name = "announcement|refuse", help_heading = CALLERS)]
    when_off: Option<String>,
    /// Whom callers reach with 0: a number of the phone system, a SIP address, or "none" (at first: none)
    #[arg(long, value_name = "NUMBER|sip:ADDRESS", help_heading = CALLERS)]
    operator: Option<String>,
    /// Who may press * during the greeting to log in with the PIN (at first: inside)
    #[arg(long, value_name = "never|inside|anywhere", help_heading = CALLERS)]
    log_in_by_star: Option<String>,

    /// Days until new messages become saved ones; 0 for never (at first: 0)
    #[arg(long, value_name = "DAYS", help_heading = KEEPING)]
    new_days: Option<String>,
    /// Days until saved messages go into the trash; 0 for never (at first: 0)
    #[arg(long, value_name = "DAYS", help_heading = KEEPING)]
    saved_days: Option<String>,
    /// Days until what lies in the trash is gone; 0 as the server's `keep_trash` says (at first: 0)
    #[arg(long, value_name = "DAYS", help_heading = KEEPING)]
    trash_days: Option<String>,

    /// Mailboxes that get a copy of each message, separated by commas, or "none" (at first: none)
    #[arg(long, value_name = "NUMBER,...", help_heading = COPIES)]
    copy_to: Option<String>,
    /// Mailboxes that get each message instead of this one, which keeps nothing: numbers separated by
    /// commas, "all", or "none" (at first: none)
    #[arg(long, value_name = "NUMBER,...|all", help_heading = COPIES)]
    distribute: Option<String>,
    /// Write messages down (at first: yes)
    #[arg(long, value_name = "yes|no")]
    transcribe: Option<String>,
    /// Translate what was written down (at first: no)
    #[arg(long, value_name = "yes|no")]
    translate: Option<String>,

    /// Mail messages (at first: yes)
    #[arg(long, value_name = "yes|no", help_heading = MAIL)]
    notify: Option<String>,
    /// Mail them to the owner's address and nobody else (at first: yes)
    #[arg(long, value_name = "yes|no", help_heading = MAIL)]
    use_login_email: Option<String>,
    /// Who gets the mail instead of the owner, separated by commas, or "none" (at first: none)
    #[arg(long, value_name = "EMAIL,...", help_heading = MAIL)]
    notify_to: Option<String>,
    /// Who gets a short mail without the recording, or "none" (at first: none)
    #[arg(long, value_name = "EMAIL,...", help_heading = MAIL)]
    notify_short_to: Option<String>,
    /// Put a message into the trash once its mail was accepted everywhere (at first: no)
    #[arg(long, value_name = "yes|no", help_heading = MAIL)]
    delete_after_notify: Option<String>,
    /// What the recording is attached as (at first: wav)
    #[arg(long, value_name = "wav|mp3", help_heading = MAIL)]
    attach: Option<String>,

    /// Dates and times are told in it, e.g. Europe/Vienna (at first: UTC)
    #[arg(long, value_name = "ZONE", help_heading = PLACE)]
    time_zone: Option<String>,
    /// How times are told (at first: 24)
    #[arg(long, value_name = "12|24", help_heading = PLACE)]
    hours: Option<String>,
    /// Of pages, mails and prompts, e.g. en
    #[arg(long, value_name = "CODE", help_heading = PLACE)]
    language: Option<String>,
    /// Of pages and mails alone (at first: en)
    #[arg(long, value_name = "CODE", help_heading = PLACE)]
    pages: Option<String>,
    /// Of what callers and owners hear alone (at first: en)
    #[arg(long, value_name = "CODE", help_heading = PLACE)]
    prompts: Option<String>,
    /// Spoken in messages, e.g. en; "auto" detects it (at first: auto)
    #[arg(long, value_name = "CODE", help_heading = PLACE)]
    spoken: Option<String>,
    /// What messages are translated to (at first: fr)
    #[arg(long, value_name = "CODE", help_heading = PLACE)]
    translate_to: Option<String>,
    /// Which hold music is played for the owner (at first: default)
    #[arg(long, value_name = "CLASS", help_heading = HOLD)]
    hold_music: Option<String>,
    /// Let owners record announcements at sip:record-NAME@…, with their PIN (at first: no)
    #[arg(long, value_name = "yes|no", help_heading = HOLD)]
    speaks_announcements: Option<String>,
}

const CALLERS: &str = "What callers can do";
const KEEPING: &str = "How long messages are kept";
const COPIES: &str = "Copies for others";
const MAIL: &str = "Voicemail to email";
const GREETINGS: &str = "Greetings";
const HOLD: &str = "Hold music";
const PLACE: &str = "Time and languages";

impl Wishes {
    /// Puts what was said over what is there; nothing of it counts if one word is wrong.
    pub(super) fn apply(&self, to: &mut Settings) -> anyhow::Result<()> {
        let mut new = to.clone();
        for (name, word) in self.said() {
            new.set(name, word)?;
        }
        settings::settle(&mut new, |name| self.said().any(|(it, _)| it == name))?;
        *to = new;
        Ok(())
    }

    fn said(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("pages", &self.language),
            ("prompts", &self.language),
            ("limit", &self.limit),
            ("disable_rotate", &self.disable_rotate),
            ("play_cid", &self.play_cid),
            ("play_envelope", &self.play_envelope),
            ("newest_first", &self.newest_first),
            ("confirm_delete", &self.confirm_delete),
            ("presence", &self.presence),
            ("opening", &self.opening),
            ("holidays", &self.holidays),
            ("greetings", &self.greetings),
            ("takes_messages", &self.takes_messages),
            ("when_off", &self.when_off),
            ("operator", &self.operator),
            ("log_in_by_star", &self.log_in_by_star),
            ("new_days", &self.new_days),
            ("saved_days", &self.saved_days),
            ("trash_days", &self.trash_days),
            ("copy_to", &self.copy_to),
            ("distribute", &self.distribute),
            ("transcribe", &self.transcribe),
            ("translate", &self.translate),
            ("notify", &self.notify),
            ("use_login_email", &self.use_login_email),
            ("notify_to", &self.notify_to),
            ("notify_short_to", &self.notify_short_to),
            ("delete_after_notify", &self.delete_after_notify),
            ("attach", &self.attach),
            ("time_zone", &self.time_zone),
            ("hours", &self.hours),
            ("pages", &self.pages),
            ("prompts", &self.prompts),
            ("spoken", &self.spoken),
            ("translate_to", &self.translate_to),
            ("hold_music", &self.hold_music),
            ("speaks_announcements", &self.speaks_announcements),
        ];
        all.into_iter().filter_map(|(name, word)| Some((name, word.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;

    #[test]
    fn every_setting_has_an_option() {
        let command = Wishes::augment_args(Command::new("test"));
        for name in Settings::NAMES {
            assert!(command.get_arguments().any(|it| it.get_id() == name), "{name} has none");
        }
    }

    #[test]
    fn nothing_changes_when_one_word_is_wrong() {
        let wishes = Wishes {
            limit: Some("5".into()),
            time_zone: Some("Europe/Wien".into()),
            ..Wishes::default()
        };
        let mut settings = Settings::default();
        let error = wishes.apply(&mut settings).unwrap_err();
        assert!(error.to_string().contains("Europe/Vienna"), "{error}");
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn recipients_that_are_named_replace_the_owner_unless_that_is_said_too() {
        let mut settings = Settings::default();
        let named = |use_login_email: Option<&str>| Wishes {
            notify_to: Some("bob@example.org".into()),
            use_login_email: use_login_email.map(str::to_owned),
            ..Wishes::default()
        };
        named(None).apply(&mut settings).unwrap();
        assert_eq!(settings.use_login_email, Some(false));
        named(Some("yes")).apply(&mut settings).unwrap();
        assert_eq!(settings.use_login_email, Some(true));
    }
}
