//! Faults of this program itself: counted, and told by `/readyz` when they cost more than one call.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A thread of ours is gone: no sound moves, or nothing is written, until a restart.
static LOST: AtomicBool = AtomicBool::new(false);

/// Watches for panics from now on. One in a task costs a call or a job, and is told where that is
/// waited for; threads with names of their own are the media plane and the spool, which nobody
/// replaces.
pub(super) fn watch() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        metrics::counter!("afterbeep_panics_total").increment(1);
        if is_ours(std::thread::current().name()) {
            LOST.store(true, Relaxed);
        }
        told(panic);
    }));
}

/// Whether a thread that nobody replaces has panicked.
pub(super) fn lost() -> bool {
    LOST.load(Relaxed)
}

fn is_ours(thread: Option<&str>) -> bool {
    thread.is_some_and(|name| !name.starts_with("tokio") && name != "main")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_readiness_only_on_a_thread_that_nobody_replaces() {
        watch();
        let panic = |name: &str| {
            let thread = std::thread::Builder::new().name(name.into());
            thread.spawn(|| panic!("as the test wants it")).unwrap().join().unwrap_err();
        };
        panic("tokio-rt-worker");
        assert!(!lost());
        panic("media-0");
        assert!(lost());
    }
}
