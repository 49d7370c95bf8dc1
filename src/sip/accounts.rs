//! `[[sip.accounts]]`, `[[sip.register]]` and `[sip.outbound]`: names, and passwords in files of their own.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sipx_sip::{Scheme, Uri, auth::Credentials};

use super::{ListenError, call::Proxy, digest::Guard, register::Login};

/// `[[sip.accounts]]`: somebody who may call from an address that is not in `allow`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The name they log in with.
    pub user: String,
    /// A file with nothing but the password in it, readable by its owner only.
    pub password_file: PathBuf,
    /// The tenant whose mailbox it opens without a PIN, if that has one with its name for a number.
    #[serde(default = "default_tenant")]
    pub tenant: String,
}

fn default_tenant() -> String {
    "default".into()
}

/// `[[sip.register]]`: a telephone system that sends calls to those who log in to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The registrar: `sip:pbx.example:5060`, or with `;transport=tcp` or `;transport=tls` behind it.
    pub server: String,
    /// Who we are there.
    pub user: String,
    /// A file with nothing but the password in it, readable by its owner only.
    pub password_file: PathBuf,
    /// How long a registration is asked to last; it is renewed at half that time.
    #[serde(with = "humantime_serde", default = "ten_minutes")]
    #[schemars(with = "String")]
    pub expires: Duration,
    /// The number that calls are to be sent to; `user` if none is given.
    pub contact_user: Option<String>,
}

/// `[sip.outbound]`: where calls of ours go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// The phone system or proxy: `sip:pbx.example:5060`, or with `;transport=tcp` or `;transport=tls`
    /// behind it.
    pub server: String,
    /// Who we are there, if it asks for a password.
    pub user: Option<String>,
    /// A file with nothing but the password in it, readable by its owner only.
    pub password_file: Option<PathBuf>,
}

/// Why a password cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file is not there, or not readable.
    #[error("{path} cannot be read")]
    Read {
        /// As in the settings.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others on this machine may read it.
    #[error("{path} can be read by others; `chmod 600 {path}` ends that")]
    Open {
        /// As in the settings.
        path: PathBuf,
    },
    /// There is nothing in it, or more than a line.
    #[error("{path} must hold one line, the password")]
    Empty {
        /// As in the settings.
        path: PathBuf,
    },
}

/// A registration lasts no shorter and no longer than this.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

impl Account {
    pub(super) fn check(&self) -> Result<(), String> {
        is_name(&self.user).then_some(()).ok_or_else(|| not_a_name("accounts", &self.user))
    }
}

impl Registration {
    pub(super) fn check(&self) -> Result<(), String> {
        for name in [Some(&self.user), self.contact_user.as_ref()].into_iter().flatten() {
            if !is_name(name) {
                return Err(not_a_name("register", name));
            }
        }
        if !(SHORTEST..=LONGEST).contains(&self.expires) {
            return Err("register: expires must be 1m to 1day".into());
        }
        match self.uri() {
            Some(_) => Ok(()),
            None => Err(format!(
                "register: {:?} is not a server such as sip:pbx.example:5060",
                self.server
            )),
        }
    }

    /// The registrar's address.
    pub(super) fn uri(&self) -> Option<Uri> {
        server(&self.server)
    }
}

impl Outbound {
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(name) = self.user.as_ref().filter(|it| !is_name(it)) {
            return Err(not_a_name("outbound", name));
        }
        if self.user.is_some() != self.password_file.is_some() {
            return Err("outbound: user and password_file belong together".into());
        }
        match server(&self.server) {
            Some(_) => Ok(()),
            None => Err(format!(
                "outbound: {:?} is not a server such as sip:pbx.example:5060",
                self.server
            )),
        }
    }
}

/// A server's address.
fn server(text: &str) -> Option<Uri> {
    let uri = Uri::parse(text.to_owned().into()).ok()?;
    let plain = matches!(uri.scheme(), Scheme::Sip) && !uri.has_headers();
    (plain && uri.host().is_some() && uri.user().is_none()).then_some(uri)
}

/// Who guards the accounts; nobody if there are none.
pub(super) fn guard(accounts: &[Account]) -> Result<Option<Arc<Guard>>, ListenError> {
    let read = accounts.iter().map(|it| {
        let word = password(&it.password_file).map_err(|source| ListenError::Password {
            section: "accounts",
            user: it.user.clone(),
            source,
        })?;
        Ok((it.user.clone(), word))
    });
    let accounts = read.collect::<Result<Vec<_>, ListenError>>()?;
    let start = crate::clock::instant();
    Ok((!accounts.is_empty()).then(|| Arc::new(Guard::new(accounts, start))))
}

/// The registrations with what they need to log in.
pub(super) fn logins(registrations: &[Registration]) -> Result<Vec<Login>, ListenError> {
    let login = |it: &Registration| {
        let word = password(&it.password_file).map_err(|source| ListenError::Password {
            section: "register",
            user: it.user.clone(),
            source,
        })?;
        let uri = it.uri().ok_or_else(|| ListenError::Registrar(it.server.clone()))?;
        Ok(Login::new(it, uri, word))
    };
    registrations.iter().map(login).collect()
}

/// Where calls of ours go, with what is needed to be let in there.
pub(super) fn outbound(settings: Option<&Outbound>) -> Result<Option<Proxy>, ListenError> {
    let Some(it) = settings else { return Ok(None) };
    let uri = server(&it.server).ok_or_else(|| ListenError::Outbound(it.server.clone()))?;
    let credentials = match (&it.user, &it.password_file) {
        (Some(user), Some(file)) => {
            let word = password(file).map_err(|source| ListenError::Password {
                section: "outbound",
                user: user.clone(),
                source,
            })?;
            Some(Credentials::new(user.clone(), word))
        }
        _ => None,
    };
    Ok(Some(Proxy { uri, credentials }))
}

/// The password in a file; a line end after it does not count.
fn password(path: &Path) -> Result<String, PasswordError> {
    let read = |source| PasswordError::Read { path: path.into(), source };
    let mode = std::fs::metadata(path).map_err(read)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(PasswordError::Open { path: path.into() });
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    let word = text.trim_end_matches(['\r', '\n']);
    if word.is_empty() || word.contains(['\r', '\n']) {
        return Err(PasswordError::Empty { path: path.into() });
    }
    Ok(word.to_owned())
}

/// What may stand in an address as it is.
fn is_name(text: &str) -> bool {
    let fine = |it: u8| it.is_ascii_alphanumeric() || b"-_.!~*'()+$&".contains(&it);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(fine)
}

fn not_a_name(section: &str, name: &str) -> String {
    format!("{section}: {name:?} is not a name; use 1 to 64 letters, digits and -_.!~*'()+$&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_in_a_file_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let write = |text: &str, mode| {
            // One that nobody may write is only root's to write again.
            std::fs::remove_file(&file).ok();
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            password(&file)
        };
        assert_eq!(write(" se cret\r\n", 0o600).unwrap(), " se cret");
        assert_eq!(write("secret", 0o400).unwrap(), "secret");
        assert!(matches!(write("secret", 0o640), Err(PasswordError::Open { .. })));
        assert!(matches!(write("secret", 0o604), Err(PasswordError::Open { .. })));
        assert!(matches!(write("\n", 0o600), Err(PasswordError::Empty { .. })));
        assert!(matches!(write("a\nb\n", 0o600), Err(PasswordError::Empty { .. })));
        let nowhere = password(&folder.path().join("nowhere"));
        assert!(matches!(nowhere, Err(PasswordError::Read { .. })));
    }

    #[test]
    fn a_registration_names_a_server_and_nobody_on_it() {
        let of = |server: &str, user: &str, seconds| Registration {
            server: server.into(),
            user: user.into(),
            password_file: "p".into(),
            expires: Duration::from_secs(seconds),
            contact_user: None,
        };
        for fine in ["sip:pbx.example", "sip:192.0.2.1:5070", "sip:[::1]:5060;transport=tcp"] {
            assert_eq!(of(fine, "1000", 600).check(), Ok(()));
        }
        for (server, user, seconds) in [
            ("pbx.example", "1000", 600),
            ("sip:me@pbx.example", "1000", 600),
            ("sips:pbx.example", "1000", 600),
            ("tel:1000", "1000", 600),
            ("sip:pbx.example", "", 600),
            ("sip:pbx.example", "a b", 600),
            ("sip:pbx.example", "a@b", 600),
            ("sip:pbx.example", "1000", 59),
            ("sip:pbx.example", "1000", 100_000),
        ] {
            assert!(of(server, user, seconds).check().is_err(), "{server} {user} {seconds}");
        }
    }
}
