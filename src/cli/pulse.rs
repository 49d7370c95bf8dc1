//! How the house is doing: looked at every few seconds, so that `/readyz` can answer at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use super::faults;
use crate::app::App;
use crate::call::Stopping;
use crate::call::spool::{Spool, SpoolError};
use crate::http::Readiness;
use crate::mailbox::lamp::Kind;
use crate::sip::{Endpoint, Registered};
use crate::store::{StoreError, jobs, lamps};

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(2);
/// A database that is slower than this will not take messages either.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is looked at, and what was seen last.
pub(super) struct Pulse {
    app: App,
    spool: Spool,
    endpoint: Endpoint,
    recorder: PrometheusHandle,
    stopping: watch::Receiver<Stopping>,
    writable: Arc<AtomicBool>,
}

impl Pulse {
    /// The database was written to a moment ago, at start.
    pub(super) fn new(
        app: App,
        spool: Spool,
        endpoint: Endpoint,
        recorder: PrometheusHandle,
        stopping: watch::Receiver<Stopping>,
    ) -> Self {
        Self { app, spool, endpoint, recorder, stopping, writable: Arc::new(AtomicBool::new(true)) }
    }

    /// What stands in the way of taking calls and keeping messages, in sentences.
    pub(super) fn readiness(&self) -> impl Fn() -> Readiness + Send + Sync + use<> {
        let (spool, writable) = (self.spool.clone(), self.writable.clone());
        let (stopping, endpoint) = (self.stopping.clone(), self.endpoint.clone());
        move || {
            let mut reasons = Vec::new();
            if *stopping.borrow() != Stopping::No {
                reasons.push("The server is stopping; new calls are refused.".to_owned());
            } else if !endpoint.is_alive() || faults::lost() {
                reasons.push("A part of the server has failed; it needs a restart.".to_owned());
            }
            if let Err(error) = spool.check() {
                reasons.push(sentence(&error));
            }
            if !writable.load(Relaxed) {
                reasons
                    .push("The database cannot be written; messages wait in the spool.".to_owned());
            }
            reasons.extend(unregistered(&endpoint.registrations()));
            Readiness { reasons }
        }
    }

    /// Looks until `stop` says so.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let looking = async {
            loop {
                self.look().await;
                // Nothing tells of a part that stands still: it has to be looked at.
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::select! {
            () = looking => {}
            _ = stop.wait_for(|it| *it) => {}
        }
    }

    async fn look(&self) {
        // What nobody fetches must not pile up.
        self.recorder.run_upkeep();
        let seen = tokio::time::timeout(PATIENCE, self.ask()).await;
        let writable = matches!(seen, Ok(Ok(())));
        if self.writable.swap(writable, Relaxed) == writable {
            return;
        }
        match seen {
            Ok(Ok(())) => tracing::info!("the database can be written again"),
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the database cannot be written"
            ),
            Err(_) => tracing::error!("the database has not answered for {PATIENCE:?}"),
        }
    }

    async fn ask(&self) -> Result<(), StoreError> {
        self.app.db.ping().await?;
        for (kind, counts) in jobs::count(&self.app.db).await? {
            let states = [("queued", counts.queued), ("buried", counts.buried)];
            for (state, count) in states {
                metrics::gauge!("afterbeep_jobs", "kind" => kind.as_str(), "state" => state)
                    .set(count as f64);
            }
        }
        let (subscriptions, targets) = lamps::count(&self.app.db).await?;
        for (kind, count) in [(Kind::Subscription, subscriptions), (Kind::Target, targets)] {
            metrics::gauge!("afterbeep_lamps", "kind" => kind.as_str()).set(count as f64);
        }
        Ok(())
    }
}

/// A server that registers lives on the calls that come of it. One registration is enough to be ready:
/// the calls of the others would not come back by our refusing these.
fn unregistered(registrations: &[Registered]) -> Option<String> {
    let first = registrations.first().filter(|_| registrations.iter().all(|it| !it.is_up))?;
    let why = first.problem.as_deref().unwrap_or("it has not answered yet");
    Some(format!("Not registered at {}, so no calls come from there: {why}.", first.server))
}

fn sentence(error: &SpoolError) -> String {
    match error {
        SpoolError::NoRoom { free, least } => format!(
            "The disk is too full for new messages: {} MiB are left, {} MiB are kept in reserve.",
            free >> 20,
            least >> 20
        ),
        error => format!("Messages cannot be written: {error}."),
    }
}
