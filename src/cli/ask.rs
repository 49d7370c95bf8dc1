//! Asking a running server how it is.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::bail;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::config::Config;

/// Who answers on the web port of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A server that takes calls.
    Ready,
    /// A server that does not, and why.
    NotReady(Vec<String>),
    /// Some other program.
    Stranger,
    /// Nobody.
    Nobody,
}

/// A server on this machine that is slower than this does not answer calls either.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes.
const LONGEST: u64 = 64 << 10;

/// What `/readyz` answers.
#[derive(Deserialize)]
struct Told {
    ready: bool,
    reasons: Vec<String>,
}

/// `afterbeep healthcheck`: succeeds when the server of these settings is ready.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let listen = config.http.listen;
    match readyz(listen).await {
        Answer::Ready => Ok(()),
        Answer::NotReady(reasons) => bail!("the server is not ready: {}", reasons.join(" ")),
        Answer::Stranger => bail!("what answers on {listen} is not Afterbeep"),
        Answer::Nobody => bail!("no server answers on {listen}"),
    }
}

/// Asks whoever listens there.
pub(super) async fn readyz(listen: SocketAddr) -> Answer {
    let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(reached(listen))).await else {
        return Answer::Nobody;
    };
    let Ok(Ok(answer)) = timeout(PATIENCE, get(stream)).await else { return Answer::Stranger };
    let body = answer.split_once("\r\n\r\n").map(|it| it.1).unwrap_or_default();
    match serde_json::from_str(body) {
        Ok(Told { ready: true, .. }) => Answer::Ready,
        Ok(Told { reasons, .. }) => Answer::NotReady(reasons),
        Err(_) => Answer::Stranger,
    }
}

async fn get(mut stream: TcpStream) -> io::Result<String> {
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Where a server that listens on every address is reached from this machine.
fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
