//! The figures of `/metrics`: what the parts counted themselves, fetched when somebody asks.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::call::Desk;
use crate::call::spool::Spool;
use crate::rtp::{LATENESS, Lateness, Plane};
use crate::sip::Endpoint;

/// The page itself, made anew each time.
pub(super) fn page(
    desk: &Desk,
    endpoint: &Endpoint,
    recorder: PrometheusHandle,
) -> impl Fn() -> String + Send + Sync + use<> {
    describe();
    // These are counted where they happen; nobody should wonder why they are not there before.
    counter!("afterbeep_calls_total").absolute(0);
    counter!("afterbeep_calls_full_total").absolute(0);
    counter!("afterbeep_panics_total").absolute(0);
    counter!("afterbeep_messages_total").absolute(0);
    counter!("afterbeep_filing_failures_total").absolute(0);
    counter!("afterbeep_lamp_drift_total").absolute(0);
    for state in ["accepted", "deferred", "failed"] {
        counter!("afterbeep_mails_total", "state" => state).absolute(0);
    }
    let (spool, plane, endpoint) = (desk.spool.clone(), desk.plane.clone(), endpoint.clone());
    move || {
        signalling(&endpoint);
        sound(&plane);
        takes(&spool);
        // Asked for by a task, so there is a runtime; from elsewhere the figure stays as it was.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            gauge!("afterbeep_tasks").set(runtime.metrics().num_alive_tasks() as f64);
        }
        recorder.render() + &lateness(&plane.counters().lateness)
    }
}

/// How late the ticks of the media threads came. They are counted where they come, into bounds of their
/// own, which the recorder has no way to take.
fn lateness(it: &Lateness) -> String {
    const NAME: &str = "afterbeep_media_tick_lateness_seconds";
    let mut page = format!(
        "# HELP {NAME} How late the ticks of the media threads came.\n# TYPE {NAME} histogram\n"
    );
    let mut so_far = 0;
    let bounds = LATENESS.iter().map(|us| (*us as f64 / 1e6).to_string());
    for (bound, count) in bounds.chain(["+Inf".into()]).zip(it.counts) {
        so_far += count;
        page += &format!("{NAME}_bucket{{le=\"{bound}\"}} {so_far}\n");
    }
    page + &format!("{NAME}_sum {}\n{NAME}_count {so_far}\n", it.sum.as_secs_f64())
}

fn signalling(endpoint: &Endpoint) {
    let counted = endpoint.counters();
    gauge!("afterbeep_sip_calls").set(counted.calls as f64);
    let requests = [
        ("invited", counted.invitations),
        ("answered", counted.answered),
        ("turned_away", counted.turned_away),
    ];
    for (outcome, count) in requests {
        counter!("afterbeep_sip_calls_total", "outcome" => outcome).absolute(count);
    }
    let refused = [
        ("stranger", counted.strangers),
        ("unproved", counted.challenged),
        ("password", counted.wrong_passwords),
        ("scanner", counted.scanners),
        ("malformed", counted.malformed),
        ("overflow", counted.overflowed),
        ("rate", counted.hurried),
    ];
    for (reason, count) in refused {
        counter!("afterbeep_sip_refused_total", "reason" => reason).absolute(count);
    }
    for it in endpoint.registrations() {
        let up = if it.is_up { 1.0 } else { 0.0 };
        gauge!("afterbeep_sip_registered", "server" => it.server, "user" => it.user).set(up);
    }
}

fn sound(plane: &Plane) {
    let counted = plane.counters();
    gauge!("afterbeep_rtp_legs").set(counted.legs as f64);
    counter!("afterbeep_rtp_packets_total", "way" => "in").absolute(counted.received);
    counter!("afterbeep_rtp_packets_total", "way" => "out").absolute(counted.sent);
    let dropped = [
        ("unsent", counted.unsent),
        ("malformed", counted.malformed),
        ("stranger", counted.strangers),
        ("forged", counted.forged),
        ("unexpected", counted.unexpected),
        ("late", counted.late),
    ];
    for (reason, count) in dropped {
        counter!("afterbeep_rtp_dropped_total", "reason" => reason).absolute(count);
    }
    counter!("afterbeep_rtp_concealed_samples_total").absolute(counted.concealed);
    counter!("afterbeep_rtp_failed_recordings_total").absolute(counted.failed);
    counter!("afterbeep_rtp_unheard_digits_total").absolute(counted.unheard);
    counter!("afterbeep_rtp_late_ticks_total").absolute(counted.late_ticks);
    gauge!("afterbeep_rtp_latest_tick_seconds").set(counted.latest.as_secs_f64());
}

fn takes(spool: &Spool) {
    let counted = spool.counters();
    gauge!("afterbeep_spool_recording").set(counted.recording as f64);
    gauge!("afterbeep_spool_kept").set(counted.kept as f64);
    gauge!("afterbeep_spool_segments").set(counted.segments as f64);
    gauge!("afterbeep_spool_free_bytes").set(counted.free as f64);
    counter!("afterbeep_spool_written_bytes_total").absolute(counted.bytes);
    counter!("afterbeep_spool_syncs_total").absolute(counted.syncs);
    counter!("afterbeep_spool_failures_total").absolute(counted.failures);
    counter!("afterbeep_spool_failed_takes_total").absolute(counted.failed_takes);
}

fn describe() {
    const GAUGES: [(&str, &str); 13] = [
        ("afterbeep_tasks", "Tasks of this program that are not at their end."),
        ("afterbeep_calls", "Calls that are up."),
        ("afterbeep_blobs_waiting", "Recordings to be moved to S3, or deleted there."),
        ("afterbeep_jobs", "Jobs in the table: queued, or given up and buried."),
        ("afterbeep_lamps", "Phones and others that are told what waits, by kind."),
        ("afterbeep_sip_calls", "Calls that are up, and those not answered yet."),
        ("afterbeep_sip_registered", "Whether we are registered there: 1, or 0."),
        ("afterbeep_rtp_legs", "Streams of sound that are open."),
        ("afterbeep_rtp_latest_tick_seconds", "How late the latest tick of the media threads was."),
        ("afterbeep_spool_recording", "Messages being recorded."),
        ("afterbeep_spool_kept", "Recordings that wait to be filed or discarded."),
        ("afterbeep_spool_segments", "Files of the spool."),
        ("afterbeep_spool_free_bytes", "What the disk of the spool has left."),
    ];
    const COUNTERS: [(&str, &str); 30] = [
        ("afterbeep_calls_total", "Calls answered."),
        ("afterbeep_calls_full_total", "Callers who were told that the mailbox is full."),
        ("afterbeep_call_backs_total", "Owners who wanted to call back, by outcome."),
        ("afterbeep_operator_total", "Callers who wanted the operator, sent there or refused."),
        ("afterbeep_retention_total", "Messages that a rule moved or purged, by its name."),
        ("afterbeep_pin_locks_total", "Times that wrong PINs locked a mailbox, or out a caller."),
        ("afterbeep_panics_total", "Faults of this program that ended a part of it."),
        ("afterbeep_messages_total", "Messages filed."),
        ("afterbeep_copies_total", "Copies for other mailboxes, made or without room there."),
        ("afterbeep_filing_failures_total", "Times that filing failed and had to be tried again."),
        ("afterbeep_blobs_moved_total", "Recordings moved to S3 and read back."),
        ("afterbeep_blobs_failures_total", "Times that S3 failed and had to be tried again."),
        ("afterbeep_jobs_total", "Jobs done, put off or given up, by kind."),
        (
            "afterbeep_mails_total",
            "Mails a server accepted, put off (deferred) or refused (failed).",
        ),
        (
            "afterbeep_translations_doubtful_total",
            "Translations whose numbers are not those of the original.",
        ),
        ("afterbeep_lamp_notifies_total", "Times that a lamp was told, or could not be."),
        ("afterbeep_lamp_subscribes_total", "Subscriptions that were asked for, by outcome."),
        ("afterbeep_lamp_drift_total", "Lamps found to show something else than the mailbox."),
        ("afterbeep_sip_calls_total", "Calls that came, were answered, or were turned away."),
        ("afterbeep_sip_refused_total", "Requests that were not served, by reason."),
        ("afterbeep_rtp_packets_total", "RTP packets received and used, and sent."),
        ("afterbeep_rtp_dropped_total", "RTP packets not used or not sent, by reason."),
        ("afterbeep_rtp_concealed_samples_total", "Samples made up for packets lost or late."),
        (
            "afterbeep_rtp_failed_recordings_total",
            "Recordings given up because the disk was behind.",
        ),
        ("afterbeep_rtp_unheard_digits_total", "Keys pressed that nobody took."),
        ("afterbeep_rtp_late_ticks_total", "Ticks of the media threads more than 1 ms late."),
        ("afterbeep_spool_written_bytes_total", "Bytes written to the spool."),
        ("afterbeep_spool_syncs_total", "Syncs of the spool's files."),
        ("afterbeep_spool_failures_total", "Writes and syncs of the spool that failed."),
        ("afterbeep_spool_failed_takes_total", "Messages that could not be written to their end."),
    ];
    GAUGES.iter().for_each(|&(name, what)| describe_gauge!(name, what));
    COUNTERS.iter().for_each(|&(name, what)| describe_counter!(name, what));
    let what = "How long transcribing a message took.";
    describe_histogram!("afterbeep_transcription_seconds", Unit::Seconds, what);
    let what = "How long translating a message took.";
    describe_histogram!("afterbeep_translation_seconds", Unit::Seconds, what);
}
