//! `afterbeep greeting explain`: why callers hear what they hear, rule by rule.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use jiff::{Timestamp as Moment, civil::DateTime};

use super::{mailbox, table, tenant};
use crate::{
    admin,
    clock::Clock,
    mailbox::{Mailbox, Reason, Timestamp, greeting, rules::Verdict},
    store::{Db, greetings},
};

/// Which call is asked about.
#[derive(Debug, Args)]
pub struct Explain {
    /// Which mailbox
    #[arg(long, value_name = "NUMBER")]
    mailbox: String,
    /// Why the call comes, such as no-answer, busy or do-not-disturb
    #[arg(long, default_value_t = Reason::NoAnswer)]
    reason: Reason,
    /// When it comes, 2026-12-24T13:00, where the mailbox is; at first: now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Whose it is.
    #[command(flatten)]
    of: tenant::Of,
}

pub(super) async fn run(
    asked: Explain,
    db: &Db,
    clock: &Clock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Explain { mailbox, reason, at, of } = asked;
    let mailbox = mailbox::find(db, &of, &mailbox).await?;
    let at = match at {
        Some(text) => moment(&text, &mailbox)?,
        None => clock.now(),
    };
    let all = greetings::of(db, &mailbox.id).await?;
    let recorded: Vec<_> = all.iter().map(|it| it.recorded).collect();
    let facts = admin::greeting::facts(&mailbox, reason, &recorded, at);
    let local = Moment::from_millisecond(at.0)?.to_zoned(admin::greeting::zone(&mailbox));
    writeln!(
        out,
        "Mailbox {}, {}: {}. Presence: {}. Reason: {reason}.\n",
        mailbox.number,
        local.strftime("%A %Y-%m-%d %H:%M %Z"),
        facts.frame.as_str(),
        facts.presence,
    )?;

    let rules = &mailbox.settings.greetings;
    let rows = rules.decide(&facts).into_iter().map(|(rule, verdict)| {
        let told = match verdict {
            Verdict::Chosen => "this one is played".to_owned(),
            Verdict::Fails(condition) => format!("no: {condition} does not hold"),
            Verdict::NotRecorded => format!("holds, but there is no {} greeting", rule.kind),
            Verdict::Expired => format!("holds, but the {} greeting is over", rule.kind),
            Verdict::NotAsked => "not asked any more".to_owned(),
        };
        [rule.to_string(), told]
    });
    table::table(out, ["RULE", "COMES TO"], &rows.collect::<Vec<_>>())?;
    if rules.chosen(&facts).is_none() {
        let said = match greeting::made(rules.wanted(&facts), &mailbox.number) {
            crate::say::Phrase::OnThePhone { .. } => "is on the phone",
            _ => "is not available",
        };
        writeln!(
            out,
            "\nNone is played: a sentence says that the person at {} {said}.",
            mailbox.number
        )?;
    }
    Ok(())
}

fn moment(text: &str, mailbox: &Mailbox) -> anyhow::Result<Timestamp> {
    let local = text.parse::<DateTime>();
    let local =
        local.with_context(|| format!("{text:?} is no time; write it like 2026-12-24T13:00"))?;
    let zoned = local.to_zoned(admin::greeting::zone(mailbox))?;
    Ok(Timestamp(zoned.timestamp().as_millisecond()))
}
