//! Letters handed to a mail server (RFC 5321), over connections kept for the next ones.
//!
//! The pool is ours because the library's has no timeout once connected, and takes back a
//! connection whose conversation was given up half-way: the next letter would read the answer
//! meant for the last. Here a connection survives only a conversation that ended well.

use std::{path::Path, sync::Mutex, time::Duration};

use lettre::{
    Message,
    message::Mailbox,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        extension::ClientId,
    },
};
use rustls::pki_types::{
    CertificateDer,
    pem::{self, PemObject},
};
use tokio::time::{Instant, timeout};

use super::{
    Accepted, MailError,
    settings::{Security, Server},
};

/// Connections kept open for the next letters.
const IDLE: usize = 4;
/// Servers hang up on the silent after five minutes (RFC 5321 §4.5.3.2.7); we do so first.
const IDLE_FOR: Duration = Duration::from_secs(60);
/// Longest reply of a server that is kept, in characters.
const REPLY: usize = 500;

/// A mail server, and how to reach it.
pub struct Smtp {
    pub(super) from: Mailbox,
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    timeout: Duration,
    idle: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
}

impl Smtp {
    pub(super) fn new(
        from: Mailbox,
        server: &Server,
        timeout: Duration,
    ) -> Result<Self, MailError> {
        let secret = server.secret().map_err(MailError::Password)?;
        let login = server.user.clone().zip(secret);
        if login.is_some() && server.security == Security::None {
            tracing::warn!("The password for the mail server {} travels in the open", server.host);
        }
        Ok(Self {
            from,
            host: server.host.clone(),
            port: server.port(),
            security: server.security,
            tls: tls(server)?,
            login: login.map(|(user, password)| Credentials::new(user, password)),
            timeout,
            idle: Mutex::default(),
        })
    }

    /// Hands one letter in.
    pub(super) async fn send(&self, letter: &Message) -> Result<Accepted, MailError> {
        self.in_time(async {
            let mut connection = self.connection().await?;
            let sent = connection.send(letter.envelope(), &letter.formatted()).await;
            let reply = sent.map_err(said_no)?;
            self.keep(connection);
            let text = reply.message().collect::<Vec<_>>().join(" ");
            Ok(Accepted { reply: shown(&format!("{} {text}", reply.code())) })
        })
        .await
    }

    /// Connects, protects the connection, logs in, and sends nothing.
    pub(super) async fn check(&self) -> Result<(), MailError> {
        self.in_time(async {
            let connection = self.connect().await?;
            self.keep(connection);
            Ok(())
        })
        .await
    }

    async fn in_time<T>(
        &self,
        conversation: impl Future<Output = Result<T, MailError>>,
    ) -> Result<T, MailError> {
        let late = |_| Err(MailError::TooSlow(self.timeout));
        timeout(self.timeout, conversation).await.unwrap_or_else(late)
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, MailError> {
        while let Some(mut connection) = self.take() {
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let hello = ClientId::default();
        let at = (self.host.as_str(), self.port);
        let from_the_start = self.tls.clone().filter(|_| self.security == Security::Tls);
        let limit = Some(self.timeout);
        let opened =
            AsyncSmtpConnection::connect_tokio1(at, limit, &hello, from_the_start, None).await;
        let mut connection = opened.map_err(not_let_in)?;
        if let (Security::StartTls, Some(tls)) = (self.security, self.tls.clone()) {
            connection.starttls(tls, &hello).await.map_err(not_let_in)?;
        }
        if let Some(login) = &self.login {
            let ways = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&ways, login).await.map_err(not_let_in)?;
        }
        Ok(connection)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        let now = Instant::now();
        idle.retain(|(since, _)| now.duration_since(*since) < IDLE_FOR);
        idle.pop().map(|(_, connection)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().expect("nothing panics while it is held");
        if idle.len() < IDLE {
            idle.push((Instant::now(), connection));
        }
    }
}

/// What the server said to this letter. A refusal is final, but for `530`, which asks for a login
/// and so speaks of us.
fn said_no(cause: SmtpError) -> MailError {
    let Some(code) = cause.status().map(u16::from) else { return MailError::Broken(cause) };
    let reply = reply(code, &cause);
    if is_for_size(&reply) {
        MailError::TooLarge { reply }
    } else if code >= 500 && code != 530 {
        MailError::Refused { reply }
    } else {
        MailError::NotNow { reply }
    }
}

/// Whether it is the size of the letter that is not taken: so says the code (RFC 5321 §4.2.3), or
/// the status behind another one (RFC 3463 §3.3 and §3.4).
fn is_for_size(reply: &str) -> bool {
    let mut words = reply.split_whitespace();
    let (code, status) = (words.next(), words.next().unwrap_or_default());
    let says = |it: &str| status.len() == 5 && status.ends_with(it);
    code == Some("552") || says(".3.4") || says(".2.3")
}

/// What went wrong before the letter was spoken of: nothing of it condemns the letter.
fn not_let_in(cause: SmtpError) -> MailError {
    match cause.status().map(u16::from) {
        Some(code) => MailError::NotNow { reply: reply(code, &cause) },
        None => MailError::Broken(cause),
    }
}

fn reply(code: u16, cause: &SmtpError) -> String {
    let text = std::error::Error::source(cause).map(ToString::to_string);
    shown(&format!("{code} {}", text.unwrap_or_default()))
}

/// A server's words as logs and pages may show them.
fn shown(reply: &str) -> String {
    let line = reply.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(REPLY).collect::<String>().trim_end().to_owned()
}

fn tls(server: &Server) -> Result<Option<TlsParameters>, MailError> {
    if server.security == Security::None {
        return Ok(None);
    }
    let mut trusted = TlsParameters::builder(server.host.clone());
    if let Some(file) = &server.certificates {
        let useless = |cause| MailError::Certificates(file.clone(), cause);
        for certificate in certificates(file).map_err(useless)? {
            trusted = trusted.add_root_certificate(certificate);
        }
    }
    trusted.build_rustls().map(Some).map_err(MailError::Broken)
}

/// All certificates of a PEM file; a file without any is an error too.
fn certificates(file: &Path) -> Result<Vec<Certificate>, pem::Error> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(pem::Error::NoItemsFound);
    }
    let usable = |it: &CertificateDer| Certificate::from_der(it.to_vec());
    // The library takes any bytes here and looks at them when it connects.
    Ok(found.iter().filter_map(|it| usable(it).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_for_the_size_of_a_letter_is_told_from_others() {
        for reply in [
            "552 5.3.4 Message size exceeds fixed limit",
            "552 too big",
            "552",
            "554 5.3.4 no",
            "550 5.2.3 longer than this mailbox takes",
            "452 4.3.4 not today",
        ] {
            assert!(is_for_size(reply), "{reply}");
        }
        for reply in [
            "550 5.1.1 nobody of that name",
            "554 5.7.1 the last one had 5.3.4",
            "452 4.3.1 the disk is full",
            "550 15.3.4 no status",
            "451",
            "",
        ] {
            assert!(!is_for_size(reply), "{reply}");
        }
    }
}
