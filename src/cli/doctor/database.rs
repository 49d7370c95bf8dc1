//! The database, and what its rows tell.

use std::time::Duration;

use super::{
    finding::Finding,
    scene::{Database, Scene},
};
use crate::{
    mailbox::{Mailbox, Preferences, Settings, Timestamp},
    store::{
        Db,
        health::Schema,
        jobs::{self, Listed},
    },
};

/// A job that has been due for longer is late: a server would have taken it up.
const LATE: Duration = Duration::from_secs(15 * 60);
/// Mails and deadlines bear this much between two clocks.
const APART: Duration = Duration::from_secs(2);
/// Beyond this leases of jobs and links lose their sense.
const FAR_APART: Duration = Duration::from_secs(30);

/// Whether the database is there, of this version, safe and sound.
pub(super) async fn health(scene: &Scene) -> Vec<Finding> {
    let (db, health) = match &scene.database {
        Database::Open { db, health, .. } => (db, health),
        Database::None => return vec![Finding::ok("There is none yet; the first start makes it.")],
        Database::Shut(finding) => return vec![finding.clone()],
        Database::Other(health) => {
            let engine = &health.engine;
            return vec![match health.schema {
                Schema::Empty => {
                    Finding::ok(format!("{engine} is empty; the first start fills it."))
                }
                Schema::Older | Schema::Current => Finding::warn(
                    format!("{engine}: the tables are those of an older version."),
                    "The next start brings them up to date; make a backup before.",
                ),
                Schema::Other => Finding::fail(
                    format!("{engine}: the tables are those of another version."),
                    "Use the version of Afterbeep that made them, or a newer one.",
                ),
            }];
        }
    };
    let engine = &health.engine;
    vec![match db.damage().await {
        Ok(None) => {
            Finding::ok(format!("{engine} at {} is safe, sound and of this version.", db.place()))
        }
        Ok(Some(damage)) => Finding::fail(
            format!("{engine} at {} is damaged: {damage}.", db.place()),
            "Stop the server and restore a backup: afterbeep restore",
        ),
        Err(error) => Finding::error(error, "See the disk, and restore a backup if it is damaged."),
    }]
}

/// Whether the database's clock and ours agree.
pub(super) async fn clock(scene: &Scene) -> Vec<Finding> {
    let Database::Open { db, .. } = &scene.database else { return Vec::new() };
    let before = scene.clock.now();
    let theirs = match db.time().await {
        Ok(theirs) => theirs,
        Err(error) => return vec![Finding::error(error, "See the database.")],
    };
    vec![apart(before, theirs, scene.clock.now())]
}

/// The other clock was read between two readings of ours.
fn apart(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Finding {
    let off = (before.0 - theirs.0).max(theirs.0 - after.0).max(0).unsigned_abs();
    let off = Duration::from_millis(off);
    let remedy = "Have both machines keep time by NTP (timedatectl set-ntp true).";
    let found = format!("The database's clock is {} off ours.", humantime::format_duration(off));
    match off {
        off if off > FAR_APART => Finding::fail(found, remedy),
        off if off > APART => Finding::warn(found, remedy),
        _ => Finding::ok("The database's clock and ours agree."),
    }
}

/// Whether every mailbox gets rid of its messages in the way it was told to.
pub(super) fn mailboxes(scene: &Scene) -> Vec<Finding> {
    let Database::Open { mailboxes, .. } = &scene.database else { return Vec::new() };
    if mailboxes.is_empty() {
        let remedy = "Add one: afterbeep mailbox add 1001 --name Ann --notify-to ann@example.org";
        return vec![Finding::warn("There is no mailbox, so every call is refused.", remedy)];
    }
    let lost = mailboxes.iter().filter_map(|it| unknown(it, mailboxes));
    let found: Vec<_> = mailboxes.iter().filter_map(unread).chain(lost).collect();
    match found.is_empty() {
        true => {
            vec![Finding::ok(format!("{} mailbox(es), none at odds with itself.", mailboxes.len()))]
        }
        false => found,
    }
}

/// A mailbox that is to delete what was mailed, and mails to nobody.
fn unread(mailbox: &Mailbox) -> Option<Finding> {
    let number = &mailbox.number;
    let at_odds = mailbox.settings.delete_after_notify && mailbox.recipients().is_empty();
    at_odds.then(|| {
        Finding::warn(
            format!("{number} deletes messages after notification, but nobody is notified."),
            format!(
                "Say who is: afterbeep mailbox set {number} --use-login-email no --notify-to EMAIL"
            ),
        )
    })
}

/// A mailbox that gives copies to numbers nobody has.
fn unknown(mailbox: &Mailbox, all: &[Mailbox]) -> Option<Finding> {
    let Preferences { copy_to, distribute, .. } = &mailbox.settings;
    let is_there = |number: &&str| {
        let has = |it: &Mailbox| it.tenant == mailbox.tenant && it.number == **number;
        *number == Settings::ALL || all.iter().any(has)
    };
    let named = copy_to.iter().chain(distribute.iter());
    let lost: Vec<_> = named.filter(|it| !is_there(it)).collect();
    (!lost.is_empty()).then(|| {
        let (number, lost) = (&mailbox.number, lost.join(", "));
        Finding::warn(
            format!("{number} gives copies to {lost}, where there is no mailbox."),
            format!("Add it, or name others: afterbeep mailbox set {number} --copy-to NUMBER,..."),
        )
    })
}

/// Whether work is done in time.
pub(super) async fn jobs(scene: &Scene) -> Vec<Finding> {
    let Database::Open { db, .. } = &scene.database else { return Vec::new() };
    match waiting(db, scene.clock.now()).await {
        Ok(found) if found.is_empty() => vec![Finding::ok("None is late, and none was given up.")],
        Ok(found) => found,
        Err(error) => vec![Finding::error(error, "See the database.")],
    }
}

async fn waiting(db: &Db, now: Timestamp) -> anyhow::Result<Vec<Finding>> {
    let (listed, counted) = (jobs::list(db).await?, jobs::count(db).await?);
    let buried = counted.iter().map(|it| it.1.buried).sum();
    Ok(late(&listed, now).into_iter().chain(given_up(buried)).collect())
}

fn late(listed: &[Listed], now: Timestamp) -> Option<Finding> {
    let is_late = |it: &&Listed| !it.buried && it.leased_until <= now && it.due + LATE < now;
    let count = listed.iter().filter(is_late).count();
    let oldest = listed.iter().find(is_late)?;
    let since = Duration::from_secs((now.0 - oldest.due.0).unsigned_abs() / 1_000);
    let why = oldest.error.as_deref().unwrap_or("it was not tried yet");
    Some(Finding::warn(
        format!(
            "{count} job(s) are late, the oldest ({}) by {}: {why}",
            oldest.job.kind.as_str(),
            humantime::format_duration(since),
        ),
        "See whether the server runs, and `afterbeep jobs list`.",
    ))
}

fn given_up(count: u64) -> Option<Finding> {
    let found = format!("{count} job(s) were given up.");
    let remedy = "See `afterbeep jobs list --given-up`, and then `afterbeep jobs retry --all`.";
    (count > 0).then(|| Finding::warn(found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn clocks_may_differ_a_little_and_the_asking_takes_time() {
        let at = |ms: i64| Timestamp(1_000_000 + ms);
        for (before, theirs, after, verdict) in [
            (0, 0, 0, Verdict::Ok),
            (0, 5_000, 9_000, Verdict::Ok),
            (0, 2_000, 0, Verdict::Ok),
            (0, 2_001, 0, Verdict::Warn),
            (2_001, 0, 2_500, Verdict::Warn),
            (0, 30_001, 0, Verdict::Fail),
            (40_000, 0, 40_000, Verdict::Fail),
        ] {
            assert_eq!(apart(at(before), at(theirs), at(after)).verdict, verdict, "{theirs}");
        }
    }
}
