//! Mail: whether it goes out, what it says, and where its links lead.

use super::{finding::Finding, scene::Scene};
use crate::{
    config::Config,
    mail::{self, Links, Mailer, Templates},
};

/// Connects and logs in to the mail server, sending nothing; or tries the folder of caught mail.
pub(super) async fn mail(scene: &Scene) -> Vec<Finding> {
    let settings = &scene.config.mail;
    let remedy = "See [mail.server] in the settings; `afterbeep mail test` tries it again.";
    let Some(server) = &settings.server else {
        let caught = scene.config.data.join(&settings.caught);
        let found = format!("No mail server is set, so mail is caught in {}.", caught.display());
        return vec![Finding::warn(found, "Set [mail.server] to have it sent.")];
    };
    let checked = match Mailer::open(settings, &scene.config.data) {
        Ok(mailer) => mailer.check().await,
        Err(error) => Err(error),
    };
    vec![match checked {
        Ok(()) => Finding::ok(format!("{}:{} lets us in.", server.host, server.port())),
        Err(error) => Finding::error(error, remedy),
    }]
}

/// Whether the sentences of mails make sense, and whether links can be given away.
pub(super) fn letters(config: &Config) -> Vec<Finding> {
    let settings = &config.mail;
    if let Err(error) = Templates::open(settings.templates.as_deref()) {
        return vec![Finding::error(error, "Put the template right; without it no server starts.")];
    }
    let Some(base_url) = &settings.base_url else {
        return vec![Finding::ok(
            "Their sentences make sense; they carry no links ([mail] base_url).",
        )];
    };
    // Which key signs them makes no difference here.
    let key = mail::key_as_text([0; Links::KEY]);
    if Links::below(base_url, &key, settings.listen_for).is_none() {
        return vec![Finding::fail(
            format!("Mails carry no links: {base_url} is not https."),
            "Set [mail] base_url to an https address without `?` and `#`, or leave it out.",
        )];
    }
    vec![Finding::ok(format!("Their sentences make sense; links lead to {base_url}."))]
}
