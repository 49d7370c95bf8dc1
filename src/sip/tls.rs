//! `[sip.tls]`: signalling that nobody on the way can read (RFC 3261 §26.3), with certificate and key from
//! files. They are read again when they change, so that a renewed certificate needs no restart.

use std::{
    io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sipx_transport::tls::{ClientTls, TrustAnchors};
use tokio_rustls::TlsAcceptor;

use crate::mailbox::Timestamp;

/// `[sip.tls]`: where calls are taken over TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Addresses, usually with port 5061.
    pub listen: Vec<SocketAddr>,
    /// A PEM file with our certificate, and behind it those that vouch for it.
    pub certificate: PathBuf,
    /// A PEM file with its key, which others on this machine must not be able to read.
    pub key: PathBuf,
    /// A PEM file with certificates that are believed besides those this machine trusts, when we connect
    /// to others: of phone systems that vouch for themselves.
    pub trusted: Option<PathBuf>,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or not readable.
    #[error("{path} cannot be read; give the server's user the right to read it")]
    Read {
        /// As in the settings.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others on this machine may read the key.
    #[error("{path} can be read by others; `chmod o= {path}` ends that")]
    Open {
        /// As in the settings.
        path: PathBuf,
    },
    /// There is no certificate in the file.
    #[error("{path} holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate {
        /// As in the settings.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("{path} holds no private key; it must be PEM, and without a passphrase")]
    NoKey {
        /// As in the settings.
        path: PathBuf,
    },
    /// They are no pair, or of a kind that is not spoken.
    #[error("{certificate} and {key} do not belong together, or are of a kind that is not spoken")]
    NoPair {
        /// As in the settings.
        certificate: PathBuf,
        /// As in the settings.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

/// Who we are to those who call over TLS, and whom we believe when we call.
pub(super) struct Identity {
    settings: Tls,
    state: Mutex<State>,
    /// `None` where this machine trusts nobody: then we can only be called.
    client: Option<ClientTls>,
}

struct State {
    server: Arc<ServerConfig>,
    /// When the files were changed that it was read from.
    stamps: Stamps,
    /// They were changed since, and are wrong. It has been said.
    is_wrong: bool,
}

type Stamps = [Option<SystemTime>; 2];

impl Identity {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// See there.
    pub(super) fn read(settings: &Tls) -> Result<Self, TlsError> {
        let stamps = stamps(settings);
        let server = Arc::new(server(settings)?);
        let state = Mutex::new(State { server, stamps, is_wrong: false });
        let mut trusted = TrustAnchors::system();
        if let Some(path) = &settings.trusted {
            let missing = |_| TlsError::NoCertificate { path: path.clone() };
            trusted.add_pem(&read(path)?).map_err(missing)?;
        }
        let client = ClientTls::new(&trusted).ok();
        Ok(Self { settings: settings.clone(), state, client })
    }

    /// What greets those who connect.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.server.clone().into()
    }

    /// What proves those to us whom we connect to.
    pub(super) fn client(&self) -> Option<&ClientTls> {
        self.client.as_ref()
    }

    /// Reads the files again if they have changed. While they are wrong, what was right goes on.
    pub(super) fn refresh(&self) {
        let stamps = stamps(&self.settings);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.stamps == stamps && !state.is_wrong {
            return;
        }
        match server(&self.settings) {
            Ok(server) => {
                tracing::info!(certificate = %self.settings.certificate.display(), "TLS goes on with a new certificate");
                *state = State { server: Arc::new(server), stamps, is_wrong: false };
            }
            // Two files cannot be changed at once: most likely the other one comes next.
            Err(error) if !state.is_wrong => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "the new certificate cannot be used; TLS goes on with the old one"
                );
                (state.stamps, state.is_wrong) = (stamps, true);
            }
            Err(_) => {}
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Tls {
    /// Until when the certificate is good; `None` if it does not say so in a way that is read here.
    ///
    /// # Errors
    /// See there.
    pub fn good_until(&self) -> Result<Option<Timestamp>, TlsError> {
        let chain = certificates(&self.certificate)?;
        Ok(chain.first().and_then(|it| not_after(it)))
    }
}

/// The end of a certificate's validity (RFC 5280 §4.1.2.5).
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // A version, which may be missing, number, algorithm and issuer come first.
    let behind = if fields.first() == Some(&0xa0) { 4 } else { 3 };
    for _ in 0..behind {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (kind, text, _) = element(element(validity)?.2)?;
    let text = std::str::from_utf8(text).ok()?;
    // Two digits of a year are of 1950 to 2049.
    let century = if text < "50" { "20" } else { "19" };
    let text = if kind == 0x17 { format!("{century}{text}") } else { text.to_owned() };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(time.timestamp().as_millisecond()))
}

/// One element of DER: its tag, what is in it, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], mut rest) = bytes.split_first_chunk()?;
    let mut length = usize::from(short);
    if short & 0x80 != 0 {
        let (long, behind) = rest.split_at_checked(usize::from(short & 0x7f))?;
        length = long.iter().take(4).fold(0, |sum, it| sum << 8 | usize::from(*it));
        rest = behind;
    }
    let (inside, behind) = rest.split_at_checked(length)?;
    Some((tag, inside, behind))
}

/// The certificates of a file in DER, ours first.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    all.ok()
        .filter(|it| !it.is_empty())
        .ok_or_else(|| TlsError::NoCertificate { path: path.into() })
}

fn server(settings: &Tls) -> Result<ServerConfig, TlsError> {
    let Tls { certificate, key, .. } = settings;
    let chain = certificates(certificate)?;
    let metadata = std::fs::metadata(key);
    let mode =
        metadata.map_err(|source| TlsError::Read { path: key.clone(), source })?.permissions();
    if mode.mode() & 0o007 != 0 {
        return Err(TlsError::Open { path: key.clone() });
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| TlsError::NoKey { path: key.clone() })?;
    let no_pair =
        |source| TlsError::NoPair { certificate: certificate.clone(), key: key.clone(), source };
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(no_pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(no_pair)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source })
}

fn stamps(settings: &Tls) -> Stamps {
    [&settings.certificate, &settings.key].map(|it| std::fs::metadata(it).ok()?.modified().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path) -> Tls {
        let made = rcgen::generate_simple_self_signed(vec!["pbx.example".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("certificate"), folder.join("key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        Tls { listen: Vec::new(), certificate, key, trusted: None }
    }

    #[test]
    fn a_broken_certificate_is_not_taken_up_and_a_whole_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let tls = write(folder.path());
        let identity = Identity::read(&tls).unwrap();
        let shown = || identity.state.lock().unwrap().server.clone();
        let first = shown();
        identity.refresh();
        assert!(Arc::ptr_eq(&first, &shown()), "nothing has changed");
        std::fs::write(&tls.certificate, "half of a").unwrap();
        identity.refresh();
        identity.refresh();
        assert!(Arc::ptr_eq(&first, &shown()));
        write(folder.path());
        identity.refresh();
        assert!(!Arc::ptr_eq(&first, &shown()));
    }

    #[test]
    fn no_bytes_in_place_of_a_certificate_are_read_past_their_end() {
        for bytes in [&b""[..], b"0", b"0\x84", b"0\x81\xff", b"0\x03\x30\x01\xa0", &[0x30; 64]] {
            assert_eq!(not_after(bytes), None);
        }
    }
}
