//! A call that is up, or about to be: our end of each dialog runs by itself, and tells by [`Signal`]s.

mod early;
mod end;
mod leg;
mod offers;
mod refer;
pub(super) mod timer;
mod vital;

use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

pub(super) use leg::{Caught, Leg, Manner};

use super::sdp::Media;

/// A call that is up, or sounds already before it is answered. Dropping it hangs up.
#[derive(Debug)]
pub struct Dialog {
    /// What was agreed on at first; later changes are signalled.
    pub media: Media,
    /// Its Call-ID.
    pub call_id: String,
    is_early: bool,
    signals: mpsc::Receiver<Box<Signal>>,
    orders: mpsc::Sender<Order>,
    attended: Attended,
}

/// Our end of a dialog at work.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Our end of a dialog that has no task of its own yet; behind a lock, for it is not to be shared.
#[derive(Default)]
struct Attended(Mutex<Option<Running>>);

/// What happens during a call.
pub enum Signal {
    /// The sound changed (hold, resume, another address). The answer is on its way, with the same
    /// address on our side.
    Media(Media),
    /// A key, sent as SIP INFO.
    Digit(char),
    /// The caller hung up. The 200 goes out when this is answered or dropped, or after 10 s.
    Bye(Farewell),
    /// The call is over without a hang-up of theirs: they gave up before the answer, no ACK or no
    /// sign of life came, or our own hang-up is through.
    Over,
}

/// A BYE that waits for its 200; copies of it are absorbed meanwhile.
#[derive(Debug)]
pub struct Farewell {
    answer: oneshot::Sender<oneshot::Sender<()>>,
}

/// Answers a call that sounds already. It does not keep the call up.
#[derive(Debug, Clone)]
pub struct Answering {
    orders: mpsc::WeakSender<Order>,
}

/// Sends a caller on to somebody else. It does not keep the call up.
#[derive(Debug, Clone)]
pub struct SendingOn {
    orders: mpsc::WeakSender<Order>,
}

/// What the driver asks for.
#[derive(Debug)]
enum Order {
    /// Send the 200, and tell when it is out.
    Answer(oneshot::Sender<()>),
    /// Speak nothing but what is spoken now, whatever is offered.
    KeepCodec,
    /// Send the caller to a number or an address, and tell whether they go there.
    SendOn(String, oneshot::Sender<bool>),
    HangUp,
}

/// Signals not yet taken by the driver; more are dropped.
const SIGNALS: usize = 64;
/// Orders not yet taken by the task; a driver with more waits.
const ORDERS: usize = 4;

impl Dialog {
    /// What happens next; after [`Signal::Bye`] or [`Signal::Over`] always `Over`. Safe to cancel.
    pub async fn next(&mut self) -> Signal {
        self.signals.recv().await.map_or(Signal::Over, |it| *it)
    }

    /// Our end of the call, if it was [taken to be attended](super::Invitation::attended): nothing is heard,
    /// answered or sent unless this runs, to its end.
    pub fn attend(&mut self) -> Option<Running> {
        self.attended.take()
    }

    /// Hangs up, or refuses a call that was not answered yet; [`Signal::Over`] tells when the other
    /// side knows.
    pub async fn bye(&self) {
        // An error means it is over already.
        let _ = self.orders.send(Order::HangUp).await;
    }

    /// What answers this call, if it is not answered yet.
    pub fn answering(&self) -> Option<Answering> {
        self.is_early.then(|| Answering { orders: self.orders.downgrade() })
    }

    /// From now on nothing else is spoken than now, as long as the call lasts: whoever offers something
    /// else only is told 488, and nothing changes.
    pub async fn keep_codec(&self) {
        // An error means it is over.
        let _ = self.orders.send(Order::KeepCodec).await;
    }

    /// What sends this caller on.
    pub fn sending_on(&self) -> SendingOn {
        SendingOn { orders: self.orders.downgrade() }
    }
}

impl SendingOn {
    /// Sends the caller to a number of the phone system they come from, or to a SIP address: with a 302
    /// if the call is not answered yet, else with a REFER. Waits for the outcome; `false` if they stay,
    /// or if none was told within half a minute, or three once it was told that it is under way. The call
    /// is to be ended if they go.
    pub async fn send_to(&self, to: &str) -> bool {
        let (done, sent) = oneshot::channel();
        let Some(orders) = self.orders.upgrade() else { return false };
        let told = orders.send(Order::SendOn(to.to_owned(), done)).await.is_ok();
        drop(orders);
        told && sent.await.unwrap_or(false)
    }

    /// As [`Dialog::keep_codec`].
    pub async fn keep_codec(&self) {
        if let Some(orders) = self.orders.upgrade() {
            let _ = orders.send(Order::KeepCodec).await;
        }
    }
}

impl Answering {
    /// Answers the call and waits until the 200 is sent; `false` when there is nobody to answer any
    /// more. Asked a second time, nothing more happens.
    pub async fn answer(&self) -> bool {
        let (done, answered) = oneshot::channel();
        let Some(orders) = self.orders.upgrade() else { return false };
        let told = orders.send(Order::Answer(done)).await.is_ok();
        // The call must not be kept up by this.
        drop(orders);
        told && answered.await.is_ok()
    }
}

impl Attended {
    fn new(running: Running) -> Self {
        Self(Mutex::new(Some(running)))
    }

    fn take(&mut self) -> Option<Running> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whom nobody attends hangs up by itself.
impl Drop for Attended {
    fn drop(&mut self) {
        if let (Some(running), Ok(here)) = (self.take(), Handle::try_current()) {
            here.spawn(running);
        }
    }
}

impl fmt::Debug for Attended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attended")
    }
}

impl fmt::Debug for Signal {
    /// Keys are not told: they are PINs as often as not, and this ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signal::Media(media) => f.debug_tuple("Media").field(media).finish(),
            Signal::Digit(_) => f.write_str("Digit"),
            Signal::Bye(_) => f.write_str("Bye"),
            Signal::Over => f.write_str("Over"),
        }
    }
}

impl Farewell {
    /// Sends the 200.
    pub async fn answer(self) {
        let (done, sent) = oneshot::channel();
        if self.answer.send(done).is_ok() {
            let _ = sent.await;
        }
    }
}
