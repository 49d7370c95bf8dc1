//! Letters over TLS, to a server that shows the certificate beside this file. Its key is no secret:
//! nothing but these tests trusts it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
};

use afterbeep::mail::{MailError, Mailer, Security, Server, Settings};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::*;

fn beside(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/mail").join(name)
}

fn identity() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(beside("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(beside("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate], key).unwrap())
}

/// Takes one connection and tells each line it heard once protected.
fn listen(security: Security) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (heard, lines) = mpsc::channel();
    thread::spawn(move || -> std::io::Result<()> {
        let mut stream = listener.accept()?.0;
        if security == Security::StartTls {
            change_over(&mut stream)?;
        }
        let tls = ServerConnection::new(identity()).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(tls, stream));
        if security == Security::Tls {
            say(stream.get_mut(), "220 sink")?;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let reply = match line.get(..4) {
                Some("EHLO") => "250-sink\r\n250 AUTH PLAIN",
                Some("AUTH") => "235 welcome",
                Some("DATA") => "354 go on",
                Some(".\r\n") => "250 kept",
                _ if line == ".\r\n" => "250 kept",
                Some("MAIL" | "RCPT") => "250 ok",
                _ => "",
            };
            heard.send(line).ok();
            if !reply.is_empty() {
                say(stream.get_mut(), reply)?;
            }
        }
    });
    (addr, lines)
}

fn change_over(stream: &mut TcpStream) -> std::io::Result<()> {
    say(stream, "220 sink")?;
    let mut lines = BufReader::new(stream.try_clone()?);
    for reply in ["250-sink\r\n250 STARTTLS", "220 go ahead"] {
        lines.read_line(&mut String::new())?;
        say(stream, reply)?;
    }
    Ok(())
}

fn say(stream: &mut (impl Read + Write), reply: &str) -> std::io::Result<()> {
    stream.write_all(format!("{reply}\r\n").as_bytes())?;
    stream.flush()
}

fn mailer(security: Security, at: SocketAddr, host: &str, certificates: Option<&str>) -> Mailer {
    let server = Server {
        host: host.into(),
        port: Some(at.port()),
        security,
        user: Some("voicemail".into()),
        password: None,
        password_file: Some(beside("password.txt")),
        certificates: certificates.map(beside),
    };
    let timeout = Duration::from_secs(30);
    let settings = Settings { server: Some(server), timeout, ..Settings::default() };
    Mailer::open(&settings, "nowhere".as_ref()).unwrap()
}

#[tokio::test]
async fn letters_and_passwords_travel_protected() {
    for security in [Security::StartTls, Security::Tls] {
        let (addr, lines) = listen(security);
        let mailer = mailer(security, addr, "127.0.0.1", Some("certificate.pem"));
        let letter = letter(&from_marie(), &Text::Off);
        let accepted = mailer.send(&letter, "ann@example.org").await.unwrap();
        assert_eq!(accepted.reply, "250 kept", "{security:?}");
        let heard: Vec<_> = lines.try_iter().collect();
        // base64 of NUL voicemail NUL hunter2, without the line end of the password's file.
        let login = "AUTH PLAIN AHZvaWNlbWFpbABodW50ZXIy\r\n";
        assert!(heard.iter().any(|it| it == login), "{security:?}: {:?}", &heard[..3]);
        assert!(heard.iter().any(|it| it.starts_with("Message-ID:")), "{security:?}");
    }
}

#[tokio::test]
async fn nothing_is_told_to_a_server_that_cannot_prove_its_name() {
    for security in [Security::StartTls, Security::Tls] {
        for (host, certificates) in [("127.0.0.1", None), ("localhost", Some("certificate.pem"))] {
            let (addr, lines) = listen(security);
            let mailer = mailer(security, addr, host, certificates);
            let refused = mailer.send(&letter(&from_marie(), &Text::Off), "ann@example.org").await;
            let refused = refused.unwrap_err();
            assert!(matches!(refused, MailError::Broken(_)), "{host}: {refused:?}");
            assert!(refused.is_temporary());
            assert_eq!(lines.iter().collect::<Vec<_>>(), [""; 0], "{security:?} {host}");
        }
    }
}

#[test]
fn files_that_are_missing_are_told_at_start() {
    let server = |password: &str, certificates: &str| Server {
        host: "localhost".into(),
        port: None,
        security: Security::Tls,
        user: Some("voicemail".into()),
        password: None,
        password_file: Some(beside(password)),
        certificates: Some(beside(certificates)),
    };
    let open = |server| {
        let settings = Settings { server: Some(server), ..Settings::default() };
        Mailer::open(&settings, "nowhere".as_ref()).map(|_| ()).unwrap_err()
    };
    let missing = open(server("none.txt", "certificate.pem"));
    assert!(matches!(missing, MailError::Password(_)), "{missing:?}");
    for file in ["none.pem", "password.txt"] {
        let useless = open(server("password.txt", file));
        assert!(matches!(useless, MailError::Certificates(..)), "{file}: {useless:?}");
    }
}
