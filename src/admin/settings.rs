//! Settings as they are said: in the options of a verb, or in the fields of a request.

use super::check;
use crate::mailbox::{Settings, settings::Addresses};

/// What follows from what was said, for settings that are to take the place of others; an error if
/// they make no sense. Somebody who names recipients wants them to get mail, unless
/// `use_login_email` is said too.
pub fn settle(new: &mut Settings, said: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let named = said("notify_to") && !new.notify_to.as_ref().is_none_or(Addresses::is_empty);
    if named && !said("use_login_email") {
        new.use_login_email = Some(false);
    }
    check::settings(new)
}
