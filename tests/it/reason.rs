//! Whose mailbox a redirected call is for, why it came, and which greeting is heard: tables of what
//! phone systems really send.

mod greeting;

use afterbeep::mailbox::{Reason, Redirected};
use proptest::prelude::*;

/// What a call brings with it: `Name: value` lines as in an INVITE, and `target=` and `cause=` of
/// the Request-URI.
fn redirected(lines: &str) -> Redirected {
    let mut all = Redirected::default();
    for line in lines.lines().map(str::trim).filter(|it| !it.is_empty()) {
        if let Some(target) = line.strip_prefix("target=") {
            all.target = Some(target.into());
        } else if let Some(cause) = line.strip_prefix("cause=") {
            all.cause = Some(cause.into());
        } else {
            let (name, value) = line.split_once(": ").unwrap();
            let values = match name {
                "Diversion" => &mut all.diversion,
                "History-Info" => &mut all.history,
                "Reason" => &mut all.reasons,
                _ => panic!("{name} is not read"),
            };
            values.push(value.into());
        }
    }
    all
}

/// The mailboxes of the tables are four digits that begin with 1.
fn mailbox(called: &str, lines: &str) -> Option<String> {
    let numbers = redirected(lines).numbers(called, &["voicemail".into(), "*97".into()]);
    numbers.into_iter().find(|it| it.len() == 4 && it.starts_with('1'))
}

/// System, user of the Request-URI, what the call brings, and what that means.
const SENT: &[(&str, &str, &str, &str, Reason)] = {
    use Reason::*;
    &[
        ("nothing told", "1000", "", "1000", Unknown),
        ("Asterisk, busy", "1000", "Diversion: <sip:1000@192.0.2.20>;reason=user-busy", "1000", Busy),
        (
            "Asterisk, with a name",
            "1000",
            "Diversion: \"Ann, \\\"Office\\\" <1>\" <sip:1000@192.0.2.20>;reason=no-answer",
            "1000",
            NoAnswer,
        ),
        (
            "Asterisk, a reason in words of its own",
            "1000",
            "Diversion: <sip:1000@192.0.2.20>;reason=\"do-not-disturb\"",
            "1000",
            DoNotDisturb,
        ),
        ("Asterisk, a key", "1000", "Diversion: <sip:1000@p>;reason=send_to_vm", "1000", Deflected),
        (
            "Asterisk, all to one number",
            "voicemail",
            "Diversion: <sip:1001@192.0.2.20>;reason=unconditional",
            "1001",
            Unconditional,
        ),
        (
            "FreeSWITCH, a header set by the dialplan",
            "VoiceMail",
            "Diversion: \"1002\" <sip: 1002@192.0.2.20>;reason=no-answer;",
            "1002",
            NoAnswer,
        ),
        ("FreeSWITCH, RFC 4458", "voicemail", "target=sip:1002@pbx\ncause=486", "1002", Busy),
        ("Kamailio, not registered", "1000", "Diversion: <sip:1000@pbx>;reason=unavailable", "1000",
            Unreachable),
        (
            "Cisco, first called 1000, then 1001",
            "voicemail",
            "Diversion: \"Bob\" <sip:1001@10.0.0.1>;reason=no-answer;privacy=off;screen=yes
             Diversion: \"Ann\" <sip:1000@10.0.0.1>;reason=user-busy;privacy=off;screen=yes",
            "1000",
            Busy,
        ),
        (
            "the same in one header",
            "voicemail",
            "Diversion: \"Bob\" <sip:1001@pbx>;reason=no-answer,<sip:1000@pbx>;reason=user-busy",
            "1000",
            Busy,
        ),
        (
            "the same sent to the second one's mailbox",
            "1001",
            "Diversion: <sip:1001@pbx>;reason=no-answer
             Diversion: <sip:1000@pbx>;reason=user-busy",
            "1001",
            NoAnswer,
        ),
        (
            "a number of the public network was called: the latest detour tells",
            "1000",
            "Diversion: <tel:+43-1-5550100>;reason=time-of-day;counter=1",
            "1000",
            Closed,
        ),
        (
            "BroadSoft",
            "voicemail",
            "Diversion: \"Ann\"<sip:1000@as.example.net;user=phone>;reason=do-not-disturb;counter=1
             History-Info: <sip:1000@as.example.net;user=phone?Reason=SIP%3Bcause%3D486&Privacy=none>;index=1",
            "1000",
            DoNotDisturb,
        ),
        (
            "RFC 7044, no answer",
            "voicemail",
            "History-Info: <sip:1000@example.com>;index=1
             History-Info: <sip:1000@192.0.2.4?Reason=SIP%3Bcause%3D408%3Btext%3D%22Timeout%22>;index=1.1;rc=1
             History-Info: <sip:voicemail@example.com;cause=302>;index=1.2;mp=1",
            "1000",
            NoAnswer,
        ),
        (
            "RFC 7044, only a cause",
            "1000",
            "History-Info: <sip:1000@example.com>;index=1, <sip:1000@vm.example.com;cause=486>;index=1.1",
            "1000",
            Busy,
        ),
        (
            "RFC 4458, a target with parameters and a password",
            "*97",
            "target=sips:1004;phone-context=x:secret@example.com;user=phone\ncause=503",
            "1004",
            Unreachable,
        ),
        ("RFC 3326", "1000", "Reason: Q.850;cause=17;text=\"User busy\"", "1000", Busy),
        ("RFC 3326, two", "1000", "Reason: X;cause=1, SIP ;cause=480 ;text=\"Gone, out\"", "1000",
            LoggedOff),
        ("RFC 3326, answered elsewhere", "1000", "Reason: SIP;cause=200", "1000", Unknown),
        ("a mailbox counts before a detour", "1003",
            "Diversion: <sip:1000@pbx>;reason=away", "1003", Away),
        ("a target that is no mailbox", "1000", "target=sip:+4315550100@pbx\ncause=302", "1000",
            Unconditional),
        ("brackets that never close", "voicemail", "Diversion: <sip:1000@pbx;reason=user-busy",
            "1000", Busy),
        ("no brackets", "voicemail", "Diversion: sip:1000@pbx;reason=user-busy", "1000", Busy),
        ("capitals", "voicemail", "Diversion: <SIP:1000@PBX>;Reason=User-Busy", "1000", Busy),
        ("unknown says nothing, so the next is asked", "1000",
            "Diversion: <sip:1000@pbx>;reason=unknown\nReason: SIP;cause=486", "1000", Busy),
        ("the cause counts before everything", "1000",
            "cause=408\nDiversion: <sip:1000@pbx>;reason=user-busy", "1000", NoAnswer),
        ("404 means that nobody knows (RFC 4458)", "1000", "cause=404", "1000", Unknown),
    ]
};

#[test]
fn the_mailbox_and_the_reason_are_read_from_what_phone_systems_send() {
    for &(system, called, lines, number, reason) in SENT {
        assert_eq!(mailbox(called, lines).as_deref(), Some(number), "{system}");
        assert_eq!(redirected(lines).reason(number), reason, "{system}");
    }
}

#[test]
fn a_detour_is_followed_only_from_an_access_number() {
    let lines = "Diversion: <sip:1000@pbx>;reason=user-busy\nHistory-Info: <sip:1001@pbx>;index=1";
    assert_eq!(mailbox("4711", lines), None, "a number without a mailbox is nobody's");
    assert_eq!(mailbox("*97", lines).as_deref(), Some("1000"));
    let loops = "Diversion: <sip:voicemail@pbx>;reason=unconditional";
    assert_eq!(mailbox("voicemail", loops), None, "voicemail was sent to voicemail");
    assert_eq!(mailbox("voicemail", ""), None, "nobody said whose it is");
}

#[test]
fn a_call_that_was_sent_round_and_round_is_looked_at_only_so_far() {
    let lines: String = (0..50_000).map(|it| format!("Diversion: <sip:{it}@pbx>\n")).collect();
    let call = redirected(&lines);
    let access = ["voicemail".to_owned()];
    assert_eq!(call.numbers("voicemail", &access).len(), 1 + Redirected::MOST);
    let one = format!("<sip:1@pbx>,{}", "<sip:2@pbx>,".repeat(50_000));
    let call =
        Redirected { diversion: vec![one.clone()], history: vec![one], ..Default::default() };
    assert!(call.numbers("voicemail", &access).len() <= 1 + 2 * Redirected::MOST);
    let long = "9".repeat(10_000);
    let call = redirected(&format!("Diversion: <sip:{long}@pbx>;reason=user-busy"));
    assert_eq!(call.numbers("voicemail", &access), ["voicemail"]);
    assert_eq!(call.reason("1000"), Reason::Busy);
}

#[test]
fn every_reason_has_its_word() {
    for reason in Reason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(reason));
        assert_eq!(serde_json::json!(reason), reason.as_str());
    }
    assert!("engaged".parse::<Reason>().unwrap_err().contains("no-answer"));
}

proptest! {
    /// Whatever a peer writes, the call goes on.
    #[test]
    fn anything_at_all_is_survived(
        diversion in prop::collection::vec(r#"[<>",;:@?%=&\\a-z0-9 ü\x00]{0,60}"#, 0..4),
        history in prop::collection::vec(r#"[<>",;:@?%=&\\a-z0-9 ü\x00]{0,60}"#, 0..4),
        reasons in prop::collection::vec(r#"(SIP|Q.850)?[;=",a-z0-9 ]{0,30}"#, 0..4),
        target in prop::option::of(".{0,40}"),
        cause in prop::option::of(".{0,6}"),
    ) {
        let call = Redirected { diversion, history, reasons, target, cause };
        let numbers = call.numbers("voicemail", &["voicemail".into()]);
        prop_assert!(numbers.len() <= 2 + 2 * Redirected::MOST);
        for number in numbers {
            prop_assert!(!number.is_empty() && !number.contains(char::is_control));
            call.reason(&number);
        }
    }
}
