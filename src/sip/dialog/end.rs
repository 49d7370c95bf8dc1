//! How a call ends: they hang up, we do, or both.

use std::time::Duration;

use sipx_sip::{Method, TuEvent};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Farewell, Signal,
    leg::{Leg, Step},
};
use crate::sip::{desk::Arrival, reply::reply};

/// A BYE is answered after so long, whether what was said is safe or not.
const PATIENCE: Duration = Duration::from_secs(10);

impl Leg {
    /// A BYE. Before the answer it ends the INVITE as well (RFC 3261 §15.1.2).
    pub(super) async fn told_bye(&mut self, bye: Arrival) -> Step {
        if self.early.is_some() {
            self.give_up(487).await;
        }
        Step::Farewell(Box::new(bye))
    }

    /// They hung up: the 200 waits until what was said is safe.
    pub(super) async fn farewell(&mut self, bye: Arrival) {
        self.desk.close(&self.id);
        // Whoever still waits for an agreement learns that there will be none.
        self.agreed = None;
        let (answer, answered) = oneshot::channel();
        let told = async {
            let _ = self.signals.send(Box::new(Signal::Bye(Farewell { answer }))).await;
            answered.await.ok()
        };
        let done = timeout(PATIENCE, told).await.ok().flatten();
        self.respond(&bye, reply(&bye.request, 200, "")).await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    /// We hang up, and hear out what crosses our BYE on the way.
    pub(super) async fn leave(&mut self, inbox: &mut mpsc::Receiver<Box<Arrival>>) {
        self.place = None;
        let Some((bye, way)) = self.path.request(Method::Bye, &self.wire).await else { return };
        let mut responses = self.wire.request(bye, way).await;
        loop {
            tokio::select! {
                event = responses.recv() => match event {
                    Some(TuEvent::Response(it)) if it.status.is_provisional() => {}
                    _ => return,
                },
                Some(arrival) = inbox.recv() => self.decline(*arrival).await,
            }
        }
    }

    /// The last things: nobody is left without an answer.
    pub(super) async fn close(mut self, mut inbox: mpsc::Receiver<Box<Arrival>>) {
        self.give_up(480).await;
        self.desk.close(&self.id);
        let _ = self.signals.try_send(Box::new(Signal::Over));
        inbox.close();
        while let Some(arrival) = inbox.recv().await {
            self.decline(*arrival).await;
        }
    }

    async fn decline(&self, arrival: Arrival) {
        let code = if arrival.request.method == Method::Bye { 200 } else { 481 };
        if arrival.request.method != Method::Ack {
            self.respond(&arrival, reply(&arrival.request, code, "")).await;
        }
    }
}
