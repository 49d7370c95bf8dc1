//! One call from answer to hang-up: the loop between signalling, a flow and the stage.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;

use futures::FutureExt;
use tokio::sync::watch;

use super::stage::Stage;
use crate::flow::{Action, Event, Flow};
use crate::sip::{Dialog, Farewell, Running, Signal};

/// How far the server has gone in stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stopping {
    /// Not at all.
    No,
    /// New calls are refused, running ones go on.
    Draining,
    /// Running calls are ended now, what was said is kept.
    Ending,
}

/// Runs what is to be done in a call, and our end of its dialog, in one task. What of the latter is left
/// when the work is over goes on by itself, also after a fault: the caller is hung up on all the same.
pub(super) async fn attend(running: Option<Running>, work: impl Future<Output = ()>) {
    let Some(mut running) = running else { return work.await };
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    let worked = tokio::select! {
        biased;
        worked = &mut work => {
            tokio::spawn(running);
            worked
        }
        () = &mut running => work.await,
    };
    if let Err(fault) = worked {
        resume_unwind(fault);
    }
}

/// Tells the flow what happened and lets the stage do what it answers, until the call is over and
/// everything that was to be kept is.
pub(super) async fn run(
    mut flow: Flow,
    mut stage: Box<Stage>,
    mut dialog: Dialog,
    mut stopping: watch::Receiver<Stopping>,
) {
    let mut left = false;
    let mut farewell: Option<Farewell> = None;
    stage.replace(flow.on(Event::Start));

    while !stage.is_over() {
        let event = tokio::select! {
            biased;
            signal = dialog.next(), if !left => match signal {
                Signal::Media(media) => {
                    stage.connect(&media);
                    continue;
                }
                Signal::Digit(key) => match stage.told(key) {
                    Some(key) => Event::Key(key),
                    None => continue,
                },
                Signal::Bye(bye) => {
                    farewell = Some(bye);
                    left = true;
                    Event::HungUp
                }
                Signal::Over => {
                    left = true;
                    Event::HungUp
                }
            },
            () = ending(&mut stopping), if !left => {
                dialog.bye().await;
                left = true;
                Event::HungUp
            }
            event = stage.next() => event,
        };

        if event == Event::HungUp {
            stage.empty();
        }
        let mut actions = flow.on(event);
        if actions.contains(&Action::LetIn)
            && let Some(retrieval) = stage.let_in()
        {
            (flow, actions) = retrieval;
        }
        if !actions.is_empty() {
            stage.replace(actions);
        }
        // BYE is answered as soon as the take is safe and what it replaced is gone for good; filing
        // it may take a little longer.
        if !stage.is_writing()
            && let Some(farewell) = farewell.take()
        {
            farewell.answer().await;
        }
    }
    if !left {
        dialog.bye().await;
    }
}

async fn ending(stopping: &mut watch::Receiver<Stopping>) {
    if stopping.wait_for(|it| *it == Stopping::Ending).await.is_err() {
        std::future::pending().await
    }
}
