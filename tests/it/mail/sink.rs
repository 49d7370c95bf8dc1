//! A mail server for tests: takes letters on loopback, or misbehaves as told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{self, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the server does with letters. [`Sink::switch`] changes it for the commands to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Takes them.
    Accept,
    /// Answers the greeting with this code.
    Unwelcome(u16),
    /// Answers RCPT with this code.
    RefuseRecipient(u16),
    /// Answers RCPT for this address with this code, and takes letters to others.
    RefuseOne(&'static str, u16),
    /// Answers DATA with this code.
    RefuseData(u16),
    /// Reads the whole letter, then answers with this code.
    RefuseLetter(u16),
    /// Reads the whole letter, and refuses it if it has more bytes than that.
    RefuseLarger(usize),
    /// Reads and keeps the whole letter, then hangs up without an answer.
    DropAfterData,
    /// Reads and keeps the whole letter, then says nothing.
    SilentAfterData,
    /// Accepts connections and never says anything.
    Mute,
    /// Asks for a login and refuses every password.
    RefuseLogin,
}

/// A letter as it arrived, dots unstuffed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// MAIL FROM, between the brackets.
    pub(crate) from: String,
    /// Each RCPT TO, between the brackets.
    pub(crate) to: Vec<String>,
    /// Headers and body.
    pub(crate) bytes: Vec<u8>,
}

/// A running server. It stops with the runtime it was started in.
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    mode: Arc<Mutex<Mode>>,
    letters: watch::Receiver<Vec<Received>>,
    read: Arc<Mutex<Vec<Received>>>,
    connections: watch::Receiver<usize>,
}

struct Desk {
    mode: Arc<Mutex<Mode>>,
    letters: watch::Sender<Vec<Received>>,
    read: Arc<Mutex<Vec<Received>>>,
}

impl Sink {
    /// Starts a server on a free port.
    pub(crate) async fn start(mode: Mode) -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").await.unwrap(), mode)
    }

    /// Starts a server on a port of one's own.
    pub(crate) fn start_at(listener: TcpListener, mode: Mode) -> Self {
        let addr = listener.local_addr().unwrap();
        let mode = Arc::new(Mutex::new(mode));
        let (sender, letters) = watch::channel(Vec::new());
        let (count, connections) = watch::channel(0);
        let read = Arc::default();
        let desk = Desk { mode: mode.clone(), letters: sender, read: Arc::clone(&read) };
        let desk = Arc::new(desk);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.send_modify(|it| *it += 1);
                tokio::spawn(serve(stream, desk.clone()));
            }
        });
        Self { addr, mode, letters, read, connections }
    }

    /// Behaves differently from the next command on.
    pub(crate) fn switch(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// All letters so far, the oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.letters.borrow().clone()
    }

    /// All letters that were read to their end, those that were then refused too.
    pub(crate) fn read(&self) -> Vec<Received> {
        self.read.lock().unwrap().clone()
    }

    /// Waits until there are this many letters.
    pub(crate) async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Received> {
        let mut letters = self.letters.clone();
        let enough = letters.wait_for(|it| it.len() >= count);
        let found = tokio::time::timeout(limit, enough).await;
        found.expect("the letters did not come in time").unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.borrow()
    }
}

async fn serve(stream: TcpStream, desk: Arc<Desk>) -> io::Result<()> {
    converse(&mut BufReader::new(stream), &desk).await
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    desk: &Desk,
) -> io::Result<()> {
    let mode = || *desk.mode.lock().unwrap();
    match mode() {
        Mode::Mute => std::future::pending().await,
        Mode::Unwelcome(code) => return say(stream, &format!("{code} go away")).await,
        _ => say(stream, "220 sink ESMTP").await?,
    }
    let mut letter = Received { from: String::new(), to: Vec::new(), bytes: Vec::new() };
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match (word.as_str(), mode()) {
            ("EHLO", Mode::RefuseLogin) => "250-sink\r\n250 AUTH PLAIN LOGIN".into(),
            ("EHLO", _) => "250-sink\r\n250 8BITMIME".into(),
            ("AUTH", _) => "535 5.7.8 that is not the password".into(),
            ("MAIL", _) => {
                letter = Received { from: bracketed(&line), to: Vec::new(), bytes: Vec::new() };
                "250 ok".into()
            }
            ("RCPT", Mode::RefuseRecipient(code)) => format!("{code} nobody of that name"),
            ("RCPT", Mode::RefuseOne(who, code)) if bracketed(&line) == who => {
                format!("{code} nobody of that name")
            }
            ("RCPT", _) => {
                letter.to.push(bracketed(&line));
                "250 ok".into()
            }
            ("DATA", Mode::RefuseData(code)) => format!("{code} no letters today"),
            ("DATA", _) => {
                say(stream, "354 go on").await?;
                letter.bytes = data(stream).await?;
                desk.read.lock().unwrap().push(letter.clone());
                match mode() {
                    Mode::RefuseLetter(code) => format!("{code} not this one"),
                    Mode::RefuseLarger(most) if letter.bytes.len() > most => {
                        "552 5.3.4 message file too big".into()
                    }
                    other => {
                        desk.letters.send_modify(|it| it.push(letter.clone()));
                        match other {
                            Mode::DropAfterData => return Ok(()),
                            Mode::SilentAfterData => std::future::pending().await,
                            _ => "250 2.0.0 kept".into(),
                        }
                    }
                }
            }
            ("QUIT", _) => return say(stream, "221 bye").await,
            ("NOOP" | "RSET", _) => "250 ok".into(),
            _ => "502 what?".into(),
        };
        say(stream, &reply).await?;
    }
}

/// The letter up to the lonely dot, with stuffed dots taken out (RFC 5321 §4.5.2).
async fn data<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Vec<u8>> {
    let mut letter = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(letter);
        }
        letter.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

async fn say<S: AsyncWrite + AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    reply: &str,
) -> io::Result<()> {
    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    stream.flush().await
}

fn bracketed(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
