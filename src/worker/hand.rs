//! The server's side of one worker process: started, asked, and ended with its handle.

use std::io;
use std::path::Path;
use std::process::Stdio;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::desk::Call;
use super::{Answer, WorkerError, frame};
use crate::sys::process;

/// A worker that is ready for a job. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Hand {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    call: Call,
    jobs: u32,
}

impl Hand {
    /// Starts a worker of `program` and waits until it is ready.
    pub(super) async fn hire(program: &Path, call: &Call) -> Result<Self, WorkerError> {
        let mut hand = Self::start(program, call).map_err(|cause| WorkerError::Lost {
            ending: "it could not be started".to_owned(),
            from_outside: true,
            cause,
        })?;
        match frame::hear::<Answer<()>>(&mut hand.from).await {
            Ok((Answer::Ready, _)) => Ok(hand),
            Ok((Answer::Refused(reason), _)) => Err(WorkerError::Refused(reason)),
            Ok(_) => Err(hand.lost(out_of_turn()).await),
            Err(cause) => Err(hand.lost(cause).await),
        }
    }

    /// One job: its answer, and what comes with it; `told` hears how far it is, in per cent. After
    /// an error this worker is of no more use.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        job: &impl Serialize,
        body: &[u8],
        told: &(dyn Fn(u8) + Send + Sync),
    ) -> Result<(T, Vec<u8>), WorkerError> {
        self.jobs += 1;
        match self.say(job, body, told).await {
            Ok((Answer::Done(answer), body)) => Ok((answer, body)),
            Ok((Answer::Failed(reason), _)) => Err(WorkerError::Failed(reason)),
            Ok(_) => Err(self.lost(out_of_turn()).await),
            Err(cause) => Err(self.lost(cause).await),
        }
    }

    /// Whether it was started for this.
    pub(super) fn answers(&self, call: &Call) -> bool {
        self.call == *call
    }

    /// Whether it may do another job: alive, and not yet due to be replaced.
    pub(super) fn fit(&mut self, jobs_per_worker: u32) -> bool {
        let alive = matches!(self.child.try_wait(), Ok(None));
        alive && self.jobs < jobs_per_worker.max(1)
    }

    fn start(program: &Path, call: &Call) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("worker")
            .args(&call.0)
            .env_clear()
            // Or else a failing assertion runs a debugger, which writes into our pipe.
            .env("GGML_NO_BACKTRACE", "1")
            .current_dir("/")
            // Ctrl-C is for the server, which ends its workers when it is done with them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a pipe that was asked for is missing");
        let to = child.stdin.take().ok_or_else(missing)?;
        let from = child.stdout.take().ok_or_else(missing)?;
        tokio::spawn(forward(child.stderr.take().ok_or_else(missing)?));
        tracing::debug!(pid = child.id(), "a worker was started");
        Ok(Self { child, to, from, call: call.clone(), jobs: 0 })
    }

    async fn say<T: DeserializeOwned>(
        &mut self,
        job: &impl Serialize,
        body: &[u8],
        told: &(dyn Fn(u8) + Send + Sync),
    ) -> io::Result<(Answer<T>, Vec<u8>)> {
        self.to.write_all(&frame::encode(job, body.len())?).await?;
        self.to.write_all(body).await?;
        loop {
            match frame::hear(&mut self.from).await? {
                (Answer::Underway(share), _) => told(share.min(100)),
                answer => return Ok(answer),
            }
        }
    }

    async fn lost(&mut self, cause: io::Error) -> WorkerError {
        // It may hang rather than be gone; a process that is gone keeps its own ending.
        let status = match self.child.kill().await {
            Ok(()) => self.child.wait().await,
            Err(cause) => Err(cause),
        };
        let from_outside = status.as_ref().is_ok_and(|it| process::was_told_to_end(*it));
        let ending = status.map_or_else(|it| it.to_string(), |it| it.to_string());
        WorkerError::Lost { ending, from_outside, cause }
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an answer out of turn")
}

/// What native code writes to its standard error, to the log. It has never heard of lines.
async fn forward(mut stderr: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        let said = String::from_utf8_lossy(&buffer[..length]);
        tracing::debug!(said = %said.trim_end().escape_debug(), "a worker complains");
    }
}
