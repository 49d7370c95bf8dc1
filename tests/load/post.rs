//! A mail server that takes every letter and notes which it was, when, and for whom.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use mail_parser::MessageParser;
use tokio::io::{self, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A letter that was handed over.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When its last byte was there.
    pub at: Instant,
    pub message_id: String,
    pub to: Vec<String>,
    /// Its text, without the recording.
    pub text: String,
}

/// It stops with the runtime it was started in.
pub struct Post {
    pub address: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl Post {
    pub async fn open() -> io::Result<Self> {
        Self::at(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// On a port that was kept for it.
    pub fn at(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let letters = Arc::new(Mutex::new(Vec::new()));
        let box_ = letters.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, box_.clone()));
            }
        });
        Ok(Self { address, letters })
    }

    /// The lines of a settings file that send letters here.
    pub fn settings(&self) -> String {
        let (host, port) = (self.address.ip(), self.address.port());
        format!("[mail.server]\nhost = \"{host}\"\nport = {port}\nsecurity = \"none\"\n")
    }

    /// All letters so far, the oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }
}

async fn converse(stream: TcpStream, letters: Arc<Mutex<Vec<Letter>>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 post ESMTP\r\n").await?;
    let (mut line, mut to) = (String::new(), Vec::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-post\r\n250 8BITMIME\r\n",
            "MAIL" => {
                to.clear();
                "250 ok\r\n"
            }
            "RCPT" => {
                to.push(line.trim().to_owned());
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let bytes = letter(&mut stream).await?;
                let at = Instant::now();
                let parsed = MessageParser::default().parse(&bytes).expect("a letter");
                let message_id = parsed.message_id().unwrap_or_default().to_owned();
                let text = parsed.body_text(0).unwrap_or_default().into_owned();
                letters.lock().unwrap().push(Letter { at, message_id, to: to.clone(), text });
                "250 kept\r\n"
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n").await,
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn letter(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut letter = Vec::new();
    loop {
        let before = letter.len();
        if stream.read_until(b'\n', &mut letter).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &letter[before..] {
            b".\r\n" => {
                letter.truncate(before);
                return Ok(letter);
            }
            [b'.', ..] => drop(letter.remove(before)),
            _ => {}
        }
    }
}
