//! `afterbeep serve`: everything opened in order, run until told to stop, closed in reverse.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use clap::Args;
use jiff::tz::TimeZone;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pulse::Pulse;
use super::{Voice, demo, faults, figures, gaps};
use crate::app::{App, Studio};
use crate::bell::Bell;
use crate::blobs::Blobs;
use crate::call::spool::{self, Spool};
use crate::call::{self, Clips, Desk, Filer, Stopping};
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::hold::Beds;
use crate::http::{self, Api, Guests, Pages, Site};
use crate::jobs;
use crate::lamp;
use crate::mail::{self, Links, Mailer, Templates};
use crate::mailbox::{MailboxId, Settings, TenantId};
use crate::prompts::Prompts;
use crate::rtp::Plane;
use crate::sip::Endpoint;
use crate::speech::{Readiness, Recogniser, Translator};
use crate::store::tenants::{self, Tenant};
use crate::store::{self, Db, Tenure, dial_in, mailboxes};
use crate::sys::notify::{self, State};
use crate::sys::process;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Place a demonstration call to mailbox 1000 and show what becomes of it
    #[arg(long)]
    demo: bool,
    /// End after the demonstration
    #[arg(long, requires = "demo")]
    once: bool,
}

impl Serve {
    pub(super) fn is_demonstration(&self) -> bool {
        self.demo
    }
}

/// How long what is left to do may take once the calls are over.
const CLOSING: Duration = Duration::from_secs(4);

pub(super) async fn run(
    serve: Serve,
    config: Config,
    own: bool,
    voice: Voice,
) -> anyhow::Result<()> {
    faults::watch();
    if let Err(error) = process::open_many_files() {
        tracing::warn!(%error, "no more files can be open than at first");
    }
    let house = House::open(config, own && !serve.demo).await?;
    house.tell(&mut io::stdout())?;
    tell_manager(State::Ready);

    let shown = async {
        if !serve.demo {
            return std::future::pending().await;
        }
        let shown = demo::show(&house.desk.app, house.endpoint.addresses()[0]).await;
        if !serve.once && shown.is_ok() {
            writeln!(io::stdout(), "\nThe server runs on. Ctrl-C stops it.").ok();
            voice.raise();
            return std::future::pending().await;
        }
        shown
    };
    let outcome = tokio::select! {
        outcome = shown => outcome,
        outcome = told_to_stop() => outcome,
        () = house.tenure.lost() => Err(anyhow::anyhow!(
            "another server has taken over the database {}, so this one stops",
            house.desk.app.db.place()
        )),
    };
    tell_manager(State::Stopping);
    house.close().await;
    outcome
}

/// A service manager that cannot be told will say so itself, and end us.
fn tell_manager(state: State) {
    if let Err(error) = notify::tell(state) {
        tracing::warn!("the service manager cannot be told that we are {state:?}: {error}");
    }
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A running server.
struct House {
    desk: Desk,
    tenure: Tenure,
    endpoint: Endpoint,
    web: SocketAddr,
    stopping: watch::Sender<Stopping>,
    stop: watch::Sender<bool>,
    calls: JoinHandle<()>,
    filing: JoinHandle<()>,
    work: Vec<JoinHandle<()>>,
}

impl House {
    async fn open(config: Config, own: bool) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let began = clock::instant();
        let app = open_app(config.clone()).await?;
        let tenure = app.db.occupy().await?;
        if settle(&app.db, &app.clock).await? && !own {
            furnish(&app).await?;
        }
        gaps::fill(&app).await;

        let (stopping, calls_stop) = watch::channel(Stopping::No);
        let (stop, stopped) = watch::channel(false);
        let takes = spool::Settings {
            directory: config.spooled(),
            least_free: config.disk_reserve_mib.saturating_mul(1 << 20),
            ..Default::default()
        };
        let (spool, left) = Spool::open(&takes)?;
        let plane = Plane::start(&config.rtp).context("the media plane cannot start")?;
        let (filer, filing) = Filer::start(app.clone(), spool.clone(), stopped.clone());
        call::recover(&filer, &spool, &config.deposit, left).await;
        store::jobs::reclaim(&app.db, app.clock.now()).await?;
        store::tracks::reclaim(&app.db, app.clock.now()).await?;

        let work = tokio::spawn(jobs::run(app.clone(), stopped.clone()));
        let listener = listen(config.http.listen, "http.listen").await?;
        let public = listen_if(config.http.public, "http.public").await?;
        let music = listen_if(config.http.music, "http.music").await?;
        let web = listener.local_addr()?;
        let (endpoint, invitations) = Endpoint::listen(&config.sip).await?;
        let beds = Beds::new(app.clone());
        tokio::spawn(beds.clone().prepare());
        let placing = endpoint.clone();
        let clips = Clips::default();
        let desk = Desk { app: app.clone(), plane, spool, filer, clips, beds, endpoint: placing };
        let lamps = tokio::spawn(lamp::run(app, endpoint.clone(), stopped.clone()));
        let (site, pulse) = open_site(&desk, &endpoint, calls_stop.clone())?;
        let pulse = tokio::spawn(pulse.run(stopped.clone()));
        let shown = |it, router| tokio::spawn(show(it, router, stopped.clone()));
        let open = public.map(|it| shown(it, http::public(site.clone())));
        let music = music.map(|it| shown(it, http::music(site.clone())));
        let site = tokio::spawn(show(listener, http::router(site), stopped));
        let calls = tokio::spawn(call::run(desk.clone(), invitations, calls_stop));
        tracing::info!("ready after {} ms", began.elapsed().as_millis());
        let work = [work, lamps, site, pulse].into_iter().chain(open).chain(music).collect();
        Ok(Self { desk, tenure, endpoint, web, stopping, stop, calls, filing, work })
    }

    /// What an operator wants to know first.
    fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        let app = &self.desk.app;
        let sip = self.endpoint.addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
        let (sip, tls) = sip.split_at(app.config.sip.listen.len());
        let allowed = app.config.sip.allow.join(", ");
        writeln!(out, "Afterbeep {} takes calls.\n", env!("CARGO_PKG_VERSION"))?;
        if !sip.is_empty() {
            writeln!(out, "  Calls      sip:NUMBER@{} (UDP and TCP)", sip.join(", "))?;
        }
        if !tls.is_empty() {
            writeln!(out, "  Calls      sips:NUMBER@{} (TLS)", tls.join(", "))?;
        }
        writeln!(out, "  From       {allowed} ([sip] allow)")?;
        writeln!(out, "  Data       {}", app.config.data.display())?;
        if app.config.store.url.is_some() {
            writeln!(out, "  Database   PostgreSQL, {}", app.db.place())?;
        }
        if let Some(url) = &app.config.blobs.url {
            writeln!(out, "  Recordings moved on to {url}")?;
        }
        match app.speech.readiness() {
            Readiness::Ready { model } => writeln!(out, "  Speech     {model}")?,
            Readiness::NoModel { name, command, .. } => writeln!(
                out,
                "  Speech     the model {name} is missing, so mails go out without a transcript.\n\
                 \x20            Fetch it with: {command}"
            )?,
            Readiness::Disabled => writeln!(out, "  Speech     built without")?,
        }
        match app.mailer.caught() {
            Some(_) => writeln!(out, "  Mail       caught and not sent: http://{}/mail", self.web)?,
            None => writeln!(out, "  Mail       sent by the server in [mail.server]")?,
        }
        writeln!(out, "  Hold music http://{}/music", self.web)?;
        writeln!(out, "  API        http://{}/api/v1/openapi.json", self.web)?;
        writeln!(out, "  Health     http://{}/readyz", self.web)?;
        out.flush()
    }

    /// Refuses new calls, lets running ones end or ends them with what was said, and closes
    /// everything in the order in which nothing is lost.
    async fn close(self) {
        let Self { desk, tenure, endpoint, stopping, stop, calls, filing, work, .. } = self;
        let patience = desk.app.config.stop_within.saturating_sub(CLOSING);
        endpoint.drain();
        stopping.send_replace(Stopping::Draining);
        tracing::info!("stopping: new calls are refused, running ones may go on {patience:?}");
        let mut calls = calls;
        if tokio::time::timeout(patience, &mut calls).await.is_err() {
            stopping.send_replace(Stopping::Ending);
            tokio::time::timeout(CLOSING, calls).await.ok();
        }
        endpoint.shutdown().await;
        stop.send_replace(true);
        let Desk { app, plane, spool, filer, .. } = desk;
        drop(filer);
        tokio::time::timeout(CLOSING, filing).await.ok();
        spool.close().await;
        plane.stop();
        for task in work {
            tokio::time::timeout(CLOSING, task).await.ok();
        }
        drop(tenure);
        app.db.close().await;
        tracing::info!("stopped");
    }
}

/// Opens what lasts: folders, database, clips, the ways of mail and speech.
pub(super) async fn open_app(config: Arc<Config>) -> anyhow::Result<App> {
    make_private(&config.data)?;
    let program = std::env::current_exe().context("the program does not know where it lies")?;
    let prompts = config.prompts.clone();
    let prompts = tokio::task::spawn_blocking(move || Prompts::load(prompts.as_deref())).await??;
    let templates = Templates::open(config.mail.templates.as_deref());
    let templates = templates.context("the templates of [mail] cannot be used")?;
    let clock = Clock::default();
    let db = Db::connect(&config.store, &config.database()).await?;
    Ok(App {
        links: open_links(&config, &db, &clock).await?,
        pepper: pepper(&db, &clock).await?,
        templates: Arc::new(templates),
        clock,
        db,
        blobs: Blobs::connect(&config.blobs, &config.blobs())?,
        prompts: Arc::new(prompts),
        speech: Recogniser::new(config.speech.clone(), program.clone()),
        translator: Translator::new(
            config.translation.clone(),
            config.speech.models.clone(),
            program.clone(),
        ),
        studio: Studio::new(&config, program),
        mailer: Arc::new(Mailer::open(&config.mail, &config.data)?),
        bell: Bell::default(),
        config,
    })
}

/// Links for letters, if there is a place they may lead to. Their key is made once and kept.
async fn open_links(config: &Config, db: &Db, clock: &Clock) -> anyhow::Result<Option<Links>> {
    let Some(base_url) = &config.mail.base_url else { return Ok(None) };
    let fresh = mail::key_as_text(rand::random());
    let key = store::secrets::of(db, "links", &fresh, clock.now()).await?;
    let links = Links::below(base_url, &key, config.mail.listen_for);
    if links.is_none() {
        tracing::warn!(
            "[mail] base_url is not https: letters carry no links to listen or unsubscribe"
        );
    }
    Ok(links)
}

/// What PINs and passwords are hashed with, made once and kept.
pub(super) async fn pepper(db: &Db, clock: &Clock) -> anyhow::Result<Arc<[u8]>> {
    let fresh = mail::key_as_text(rand::random());
    Ok(store::secrets::of(db, "pins", &fresh, clock.now()).await?.into_bytes().into())
}

pub(super) fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("the data folder {} cannot be made", folder.display()))
}

/// Makes sure there is a tenant; `true` if there was none.
pub(super) async fn settle(db: &Db, clock: &Clock) -> anyhow::Result<bool> {
    if !tenants::list(db).await?.is_empty() {
        return Ok(false);
    }
    let tenant = Tenant {
        id: TenantId(clock.message_id().to_string()),
        name: "default".into(),
        sip_domain: None,
        settings: Settings {
            time_zone: TimeZone::system().iana_name().map(str::to_owned),
            ..Settings::default()
        },
    };
    tenants::add(db, &tenant, clock.now()).await?;
    dial_in::set(db, &tenant.id, &["*97".to_owned()]).await?;
    Ok(true)
}

/// A house that nobody has set up gets a mailbox to try.
async fn furnish(app: &App) -> anyhow::Result<()> {
    let tenant = tenants::named(&app.db, "default").await?.context("there is no tenant")?;
    let settings = Settings {
        use_login_email: Some(false),
        notify_to: Some(vec!["reception@localhost".to_owned()].into()),
        ..Settings::default()
    };
    let entry = mailboxes::Entry { name: "Reception".into(), owner: None, settings };
    let id = MailboxId(app.clock.message_id().to_string());
    let now = app.clock.now();
    Ok(mailboxes::add(&app.db, &tenant.id, &id, "1000", &entry, now).await?)
}

async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("no web pages on {address}; if the port is taken, give {setting} another one")
    })
}

/// The same, where there is to be one.
async fn listen_if(
    address: Option<SocketAddr>,
    setting: &str,
) -> anyhow::Result<Option<TcpListener>> {
    match address {
        Some(address) => listen(address, setting).await.map(Some),
        None => Ok(None),
    }
}

fn open_site(
    desk: &Desk,
    endpoint: &Endpoint,
    stopping: watch::Receiver<Stopping>,
) -> anyhow::Result<(Site, Pulse)> {
    let recorder = PrometheusBuilder::new().install_recorder().context("no metrics")?;
    let (app, spool) = (desk.app.clone(), desk.spool.clone());
    let pulse = Pulse::new(app, spool, endpoint.clone(), recorder.clone(), stopping);
    let site = Site {
        metrics: Arc::new(figures::page(desk, endpoint, recorder)),
        ready: Arc::new(pulse.readiness()),
        caught: desk.app.mailer.caught().map(Path::to_owned),
        names: desk.app.config.http.names.clone(),
        guests: guests(&desk.app),
        api: Some(api(desk)),
        beds: Some(desk.beds.clone()),
        pages: Some(Pages::new(api(desk), desk.app.pepper.clone())),
    };
    Ok((site, pulse))
}

fn api(Desk { app, beds, .. }: &Desk) -> Api {
    Api {
        db: app.db.clone(),
        blobs: app.blobs.clone(),
        clock: app.clock.clone(),
        bell: app.bell.clone(),
        studio: app.studio.clone(),
        beds: Some(beds.clone()),
    }
}

/// What the pages behind links are made of, if there are links.
fn guests(app: &App) -> Option<Guests> {
    Some(Guests {
        links: app.links.clone()?,
        templates: app.templates.clone(),
        db: app.db.clone(),
        blobs: app.blobs.clone(),
        clock: app.clock.clone(),
    })
}

async fn show(listener: TcpListener, site: Router, mut stopped: watch::Receiver<bool>) {
    let stop = async move {
        stopped.wait_for(|it| *it).await.ok();
    };
    if let Err(error) = http::serve(listener, site, stop).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the web server ended");
    }
}
