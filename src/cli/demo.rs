//! `afterbeep demo`: one call over real SIP and RTP, and everything that becomes of it.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use tokio::time::{sleep, timeout};

use super::serve::open_app;
use crate::app::App;
use crate::audio::{Clip, wav};
use crate::call::stream;
use crate::config::Config;
use crate::flow::Policy;
use crate::mail::folder;
use crate::mailbox::{Caller, Mailbox, Timestamp};
use crate::rtp::{Heard, Plane};
use crate::sip::{Endpoint, Signal};
use crate::speech::Readiness;
use crate::store::messages::{Message, Page, Transcription};
use crate::store::{deliveries, mailboxes, messages, transcripts};
use crate::{rtp, sip};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Call a mailbox of the running server and leave a message
    Call(Call),
}

#[derive(Debug, Args)]
pub(super) struct Call {
    /// The mailbox
    #[arg(default_value = "1000")]
    number: String,
    /// What to say: a WAV file
    #[arg(long, value_name = "WAV")]
    file: Option<PathBuf>,
}

/// The demonstration's own words, so that it needs nothing else.
pub(super) const MESSAGE: &[u8] = include_bytes!("../../assets/demo/message.wav");
/// A call that was placed.
struct Left {
    began: Timestamp,
    ended: Timestamp,
}

/// How long the transcript and the mail may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// How much of the greeting the demonstration listens to.
const POLITENESS: Duration = Duration::from_millis(1_500);
/// Ports for the sound of the calling side, away from the server's.
const PORTS: rtp::Ports = rtp::Ports { first: 39_000, last: 39_099 };

pub(super) async fn run(
    Command::Call(call): Command,
    config: Config,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let server = config.sip.listen.first().copied().context("[sip] listen is empty")?;
    let words = match &call.file {
        Some(path) => std::fs::read(path).with_context(|| format!("{}", path.display()))?,
        None => MESSAGE.to_vec(),
    };
    let app = open_app(Arc::new(config)).await?;
    let left = leave(&app, server, &call.number, &words).await?;
    tell(&app, &call.number, server, left, out).await
}

/// Leaves the demonstration's message at the mailbox `1000` of a server in this process.
pub(super) async fn show(app: &App, server: SocketAddr) -> anyhow::Result<()> {
    let left = leave(app, server, "1000", MESSAGE).await?;
    tell(app, "1000", server, left, &mut io::stdout()).await
}

/// Places the call; answers when it began and when the caller hung up.
async fn leave(app: &App, server: SocketAddr, number: &str, words: &[u8]) -> anyhow::Result<Left> {
    let sound = wav::from_wav(words, Policy::LIMIT.as_secs())?;
    let message = Arc::new(Clip::at("message", sound.samples, sound.rate));
    mailbox(app, server, number).await?;

    let here = reached_from(server.ip());
    let ours = rtp::Settings { ports: PORTS, realtime: false, ..app.config.rtp.clone() };
    let plane = Plane::start(&ours)?;
    let listen = sip::Settings { listen: vec![SocketAddr::new(here, 0)], ..Default::default() };
    let (endpoint, _invitations) = Endpoint::listen(&listen).await?;
    let mut leg = plane.open(here)?;
    let caller = Caller::claimed(Some("Marie Dupont"), Some("+33556123456"));

    let to = format!("sip:{number}@{server}");
    let mut out = io::stdout();
    writeln!(out, "\nA demonstration: {caller} calls {to}.")?;
    let began = app.clock.now();
    let mut dialog = endpoint
        .call(&to, &caller, leg.local(), &app.config.rtp.codecs)
        .await
        .with_context(|| format!("{to} did not take the call; is the server running?"))?;
    leg.connect(stream(&dialog.media, server.ip()))?;
    let (clip, codec) = (message.clone(), dialog.media.codec);
    tokio::task::spawn_blocking(move || clip.prepare(codec)).await?;

    let seconds = message.length().as_secs_f64();
    writeln!(out, "  The call is answered; at the beep the caller speaks for {seconds:.0} s ...")?;
    sleep(POLITENESS).await;
    leg.send_digit('#', 100);
    sleep(app.prompts.beep().length() + Duration::from_millis(500)).await;
    leg.play(vec![message.clone()], 1);
    let spoken = async {
        loop {
            tokio::select! {
                heard = leg.next() => match heard {
                    Heard::Played(1) => return Ok(()),
                    Heard::TimedOut => bail!("the server sends no sound"),
                    _ => {}
                },
                signal = dialog.next() => if let Signal::Over | Signal::Bye(_) = signal {
                    bail!("the server ended the call");
                },
            }
        }
    };
    timeout(message.length() + PATIENCE, spoken).await.context("the call hangs")??;
    dialog.bye().await;
    let ended = app.clock.now();
    writeln!(out, "  The caller has hung up; the message is written down and mailed ...")?;
    let over = async { while !matches!(dialog.next().await, Signal::Over) {} };
    timeout(PATIENCE, over).await.context("the server does not answer the BYE")?;
    drop(leg);
    endpoint.shutdown().await;
    plane.stop();
    Ok(Left { began, ended })
}

/// Waits for the message, its transcript and its mail, and shows them.
async fn tell(
    app: &App,
    number: &str,
    server: SocketAddr,
    left: Left,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let look = async {
        loop {
            if let Some(message) = newest(app, server, number, left.began).await?
                && is_told(app, &message).await?
            {
                return anyhow::Ok(message);
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let message = timeout(PATIENCE, look)
        .await
        .with_context(|| format!("no mail within {PATIENCE:?}; see the server's log"))??;

    let since = (app.clock.now().0 - left.ended.0) as f64 / 1_000.0;
    writeln!(out, "\nWhat came of it, {since:.1} s after the caller hung up:\n")?;
    match transcripts::of(&app.db, &message.id).await? {
        Some(it) => {
            writeln!(out, "  Transcript  \u{201c}{}\u{201d} ({})", it.text(), it.engine)?;
        }
        None => writeln!(out, "  Transcript  none: {}", missing(app, &message))?,
    }
    tell_mail(app, &message, out).await?;
    let seconds = message.envelope.length.as_secs_f64();
    let program = std::env::args().next().unwrap_or_else(|| "afterbeep".into());
    writeln!(out, "  Recording   {seconds:.1} s; to get it as a file:")?;
    writeln!(out, "              {program} message export {}", message.id)?;
    let web = app.config.http.listen;
    if app.mailer.caught().is_some() {
        writeln!(out, "  Links       http://{web}/mail     caught mail, to read and to listen to")?;
        writeln!(out, "              http://{web}/readyz   whether calls are taken")?;
    } else {
        writeln!(out, "  Links       http://{web}/readyz   whether calls are taken")?;
    }
    writeln!(out, "              http://{web}/metrics  figures for Prometheus")?;
    writeln!(out, "  Try it      call sip:{number}@{server} with any SIP phone on this machine")?;
    Ok(out.flush()?)
}

/// To whom it went, and where it lies if it was caught.
async fn tell_mail(app: &App, message: &Message, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(folder) = app.mailer.caught() else {
        for delivery in deliveries::of(&app.db, &message.id).await? {
            let (to, state) = (&delivery.recipient, delivery.state.as_str());
            writeln!(out, "  Mail        to {to}: {state}")?;
        }
        return Ok(());
    };
    let id = message.id.to_string();
    for mail in folder::list(folder, 50)?.iter().filter(|it| it.id.contains(&id)) {
        writeln!(out, "  Mail        to {}, caught and not sent:", mail.to)?;
        writeln!(out, "              {}", mail.letter_file(folder).display())?;
    }
    Ok(())
}

/// Why there is no transcript, and what brings one.
fn missing(app: &App, message: &Message) -> String {
    match (app.speech.readiness(), &message.transcription) {
        (Readiness::NoModel { name, command, .. }, _) => {
            format!("the speech model {name} is missing; fetch it with: {command}")
        }
        (Readiness::Disabled, _) => "this program was built without speech recognition".into(),
        (Readiness::Ready { .. }, Transcription::Failed(why)) => why.clone(),
        (Readiness::Ready { .. }, _) => "the mailbox asks for none".into(),
    }
}

/// The mailbox that a call to `number` reaches.
async fn mailbox(app: &App, server: SocketAddr, number: &str) -> anyhow::Result<Mailbox> {
    let mailbox = mailboxes::reached(&app.db, &server.ip().to_string(), number).await?;
    mailbox.with_context(|| {
        format!("there is no mailbox {number}; add it with `afterbeep mailbox add {number}`")
    })
}

async fn newest(
    app: &App,
    server: SocketAddr,
    number: &str,
    since: Timestamp,
) -> anyhow::Result<Option<Message>> {
    let mailbox = mailbox(app, server, number).await?;
    let newest = messages::list(&app.db, &mailbox.id, None, Page::first(1)).await?;
    Ok(newest.into_iter().find(|it| it.envelope.received >= since))
}

/// Whether nothing more will happen to it now.
async fn is_told(app: &App, message: &Message) -> anyhow::Result<bool> {
    let waiting = message.transcription == Transcription::Waiting
        && matches!(app.speech.readiness(), Readiness::Ready { .. });
    let open = deliveries::of(&app.db, &message.id).await?;
    Ok(!waiting && open.iter().all(|it| it.state != deliveries::State::Queued))
}

/// The address of ours that a server on this machine answers to.
fn reached_from(server: IpAddr) -> IpAddr {
    if server.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { server }
}
