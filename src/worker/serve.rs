//! The worker's side: a process that gets ready once and works through what it is sent.
//!
//! It runs native code on strangers' bytes, so it starts by giving up all it does not need. It ends
//! when its standard input closes, in the middle of a job too: that is how it learns that the server
//! is gone. (A parent-death signal would follow the thread that started it, not the server.)

use std::io::{Read, Write};
use std::sync::mpsc;

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};

use super::{Answer, frame};
use crate::sys::process;

/// Does what comes until `stdin` closes, and then ends the process. `stdout` must carry nothing
/// else. `load` gets ready once the limits hold; `work` answers with a header and a body, and may
/// say before how many per cent are done.
///
/// # Errors
/// When the server cannot be understood or answered; what cannot be loaded and a job that fails are
/// answers.
pub(crate) fn serve<E, J: DeserializeOwned + Send + 'static, T: Serialize>(
    stdin: impl Read + Send + 'static,
    mut stdout: impl Write,
    limits: process::Limits,
    load: impl FnOnce() -> anyhow::Result<E>,
    work: impl Fn(&mut E, J, Vec<u8>, &mut dyn FnMut(u8)) -> anyhow::Result<(T, Vec<u8>)>,
) -> anyhow::Result<()> {
    process::confine(limits).context("the worker could not limit itself")?;
    let jobs = listen(stdin);
    let mut engine = match load() {
        Ok(engine) => engine,
        Err(cause) => return say(&mut stdout, &Answer::<T>::Refused(format!("{cause:#}")), &[]),
    };
    say(&mut stdout, &Answer::<T>::Ready, &[])?;
    for (job, body) in jobs {
        // Who does not listen any more ends us; there is no need to notice it here.
        let mut told = |share| drop(say(&mut stdout, &Answer::<T>::Underway(share), &[]));
        match work(&mut engine, job, body, &mut told) {
            Ok((answer, body)) => say(&mut stdout, &Answer::Done(answer), &body)?,
            Err(cause) => say(&mut stdout, &Answer::<T>::Failed(format!("{cause:#}")), &[])?,
        }
    }
    Ok(())
}

/// Jobs as they come, read by a thread of its own that ends the process with the pipe.
fn listen<J: DeserializeOwned + Send + 'static>(
    mut stdin: impl Read + Send + 'static,
) -> mpsc::Receiver<(J, Vec<u8>)> {
    let (to, jobs) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        while let Ok(job) = frame::read(&mut stdin) {
            if to.send(job).is_err() {
                return;
            }
        }
        process::leave(0);
    });
    jobs
}

fn say<T: Serialize>(
    stdout: &mut impl Write,
    answer: &Answer<T>,
    body: &[u8],
) -> anyhow::Result<()> {
    stdout.write_all(&frame::encode(answer, body.len())?).context("the server does not listen")?;
    stdout.write_all(body).context("the server does not listen")?;
    stdout.flush().context("the server does not listen")
}
