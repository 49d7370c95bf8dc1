//! Mail addresses as settings and mailboxes write them, made fit for any server.

use lettre::{Address, address::AddressError, message::Mailbox};

/// Reads `name@domain` or `Name <name@domain>`. A domain with letters beyond ASCII is told in its
/// ASCII form (RFC 5891), which every server takes.
pub(super) fn parse(text: &str) -> Result<Mailbox, AddressError> {
    let mailbox: Mailbox = text.trim().parse()?;
    let domain = ascii(mailbox.email.domain())?;
    Ok(Mailbox::new(mailbox.name, Address::new(mailbox.email.user(), domain)?))
}

/// What may stand after the `@` of a Message-ID: the domain, or `localhost` for a bare address.
pub(super) fn id_domain(from: &Mailbox) -> &str {
    let domain = from.email.domain();
    if domain.starts_with('[') { "localhost" } else { domain }
}

fn ascii(domain: &str) -> Result<String, AddressError> {
    if domain.is_ascii() {
        return Ok(domain.to_owned());
    }
    let url = reqwest::Url::parse(&format!("http://{domain}/"));
    let host = url.ok().and_then(|url| url.host_str().map(str::to_owned));
    host.ok_or(AddressError::InvalidDomain)
}
