//! Ports: of calls, of their sound, and of the web side.

use std::net::SocketAddr;

use super::{finding::Finding, scene::Scene};
use crate::{
    cli::ask::Answer,
    config::Config,
    mailbox::Timestamp,
    rtp::Ports,
    sip::{self, ListenError},
};

/// A certificate that ends within so many days is told of.
const SOON_DAYS: i64 = 14;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Where Linux keeps the ports it gives to whoever asks for any.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Whether calls could be taken on all addresses, and from whom.
pub(super) fn sip(scene: &Scene) -> Vec<Finding> {
    let settings = &scene.config.sip;
    let held = match sip::rehearse(settings) {
        Ok(()) => false,
        // A server that runs on these settings could not have started without these ports.
        Err(ListenError::InUse { .. }) if scene.is_served() => true,
        Err(error @ ListenError::InUse { .. }) => {
            let remedy = "See who has it: ss -lntup";
            return vec![Finding::error(error, remedy)];
        }
        Err(error) => return vec![Finding::error(error, "See [sip] in the settings.")],
    };
    let listen: Vec<_> = settings.listen.iter().map(ToString::to_string).collect();
    let (listen, allow) = (listen.join(", "), settings.allow.join(", "));
    let state = if held { "held by the running server" } else { "free" };
    let mut found = vec![Finding::ok(format!("{listen} (UDP and TCP) is {state}; from {allow}."))];
    found.extend(reach(settings));
    found.extend(settings.tls.as_ref().map(|it| certificate(it, scene.clock.now())));
    found
}

/// How long the certificate of `[sip.tls]` is good for.
fn certificate(tls: &sip::Tls, now: Timestamp) -> Finding {
    let listen: Vec<_> = tls.listen.iter().map(ToString::to_string).collect();
    let listen = listen.join(", ");
    let until = match tls.good_until() {
        Ok(Some(until)) => until,
        Ok(None) => return Finding::ok(format!("Calls are taken over TLS on {listen}.")),
        Err(error) => return Finding::error(error, "See [sip.tls] in the settings."),
    };
    let days = (until.0 - now.0).div_euclid(DAY_MS);
    let remedy = "Have it renewed; the server takes up the new file by itself.";
    match days {
        ..0 => Finding::fail("The certificate in [sip.tls] is not good any more.", remedy),
        0..SOON_DAYS => {
            Finding::warn(format!("The certificate in [sip.tls] is good for {days} days."), remedy)
        }
        _ => Finding::ok(format!(
            "Calls are taken over TLS on {listen}; the certificate is good for {days} days."
        )),
    }
}

/// What the addresses promise, and cannot keep.
fn reach(settings: &sip::Settings) -> Option<Finding> {
    let here = settings.listen.iter().all(|it| it.ip().is_loopback());
    let local = |it: &str| it.starts_with("127.") || it.starts_with("::1");
    let everybody = settings.allow.iter().find(|it| it.ends_with("/0"));
    if here && settings.allow.iter().any(|it| !local(it)) {
        Some(Finding::warn(
            "[sip] allow names other machines, but only this one reaches where we listen.",
            "Put an address of this machine that they reach into [sip] listen.",
        ))
    } else if here && settings.advertise.is_some() {
        Some(Finding::warn(
            "[sip] advertise is told to phone systems, but only this machine reaches where we listen.",
            "Put the address that is behind it into [sip] listen.",
        ))
    } else {
        everybody.map(|it| {
            Finding::warn(
                format!("Everybody may call ([sip] allow has {it})."),
                "Name the addresses of your phone system, or give it a password ([[sip.accounts]]).",
            )
        })
    }
}

/// Whether there are ports for the sound of as many calls as may come.
pub(super) fn sound(config: &Config) -> Vec<Finding> {
    let range = std::fs::read_to_string(EPHEMERAL).ok();
    let numbers = range.as_deref().map(|it| it.split_whitespace().map(str::parse));
    let ephemeral = match numbers.map(Iterator::collect::<Result<Vec<u16>, _>>) {
        Some(Ok(both)) if both.len() == 2 => Some((both[0], both[1])),
        _ => None,
    };
    vec![range_of(config.rtp.ports, config.sip.most_calls, ephemeral)]
}

fn range_of(ports: Ports, most_calls: usize, ephemeral: Option<(u16, u16)>) -> Finding {
    let room = ports.pairs();
    if room < most_calls {
        return Finding::warn(
            format!("The ports {ports} are enough for {room} calls, and {most_calls} may come."),
            "Make [rtp] ports larger (two to a call), or [sip] most_calls smaller.",
        );
    }
    match ephemeral {
        Some((first, last)) if ports.first <= last && first <= ports.last => Finding::warn(
            format!("The ports {ports} are among those any program may get ({first}-{last})."),
            "Choose [rtp] ports outside, or change net.ipv4.ip_local_port_range.",
        ),
        _ => Finding::ok(format!("The ports {ports} are enough for {room} calls.")),
    }
}

/// Whether the web ports are free or held by a server that is ready.
pub(super) fn web(scene: &Scene) -> Vec<Finding> {
    let http = &scene.config.http;
    let listen = http.listen;
    let remedy = "If the port is taken, give [http] another one; see who has it: ss -lntp";
    let mut found = vec![match &scene.web {
        Answer::Ready => Finding::ok(format!("A server runs on {listen} and is ready.")),
        Answer::NotReady(reasons) => Finding::fail(
            format!("A server runs on {listen} and is not ready: {}", reasons.join(" ")),
            "Put that right; its log has more.",
        ),
        Answer::Stranger => {
            Finding::fail(format!("Another program answers on {listen} ([http] listen)."), remedy)
        }
        Answer::Nobody => match bind(listen) {
            Ok(()) => Finding::ok(format!("{listen} is free; no server runs.")),
            Err(error) => Finding::fail(format!("No web pages on {listen}: {error}."), remedy),
        },
    }];
    for (what, address) in [("public pages", http.public), ("streams of hold music", http.music)] {
        if let Some(address) = address.filter(|_| !scene.is_served())
            && let Err(error) = bind(address)
        {
            found.push(Finding::fail(format!("No {what} on {address}: {error}."), remedy));
        }
    }
    if !listen.ip().is_loopback() {
        found.push(Finding::warn(
            format!("Others reach {listen}, where nobody has to log in."),
            "Keep [http] listen on 127.0.0.1; [http] public is for pages that links open, and [http] \
             music for streams of hold music.",
        ));
    }
    found
}

fn bind(address: SocketAddr) -> std::io::Result<()> {
    std::net::TcpListener::bind(address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn a_range_is_large_enough_and_nobody_elses() {
        for (ports, calls, ephemeral, verdict) in [
            ("10000-19999", 500, None, Verdict::Ok),
            ("10000-10009", 5, None, Verdict::Ok),
            ("10000-10009", 6, None, Verdict::Warn),
            ("10000-19999", 500, Some((32_768, 60_999)), Verdict::Ok),
            ("30000-39999", 500, Some((32_768, 60_999)), Verdict::Warn),
            ("40000-49999", 500, Some((32_768, 60_999)), Verdict::Warn),
        ] {
            let found = range_of(ports.parse().unwrap(), calls, ephemeral);
            assert_eq!(found.verdict, verdict, "{ports} {calls}");
        }
    }

    #[test]
    fn who_is_let_in_must_reach_us_and_not_be_everybody() {
        for (listen, allow, advertise, remedy) in [
            ("127.0.0.1:5060", "127.0.0.0/8", "", None),
            ("127.0.0.1:5060", "192.0.2.20/32", "", Some("[sip] listen")),
            ("127.0.0.1:5060", "127.0.0.0/8", "198.51.100.1", Some("[sip] listen")),
            ("192.0.2.10:5060", "192.0.2.20/32", "198.51.100.1", None),
            ("0.0.0.0:5060", "0.0.0.0/0", "", Some("addresses")),
        ] {
            let settings = sip::Settings {
                listen: vec![listen.parse().unwrap()],
                allow: vec![allow.into()],
                advertise: advertise.parse().ok(),
                ..sip::Settings::default()
            };
            let found = reach(&settings).and_then(|it| it.remedy);
            match remedy {
                None => assert_eq!(found, None, "{listen} {allow}"),
                Some(word) => assert!(found.unwrap().contains(word), "{listen} {allow}"),
            }
        }
    }
}
