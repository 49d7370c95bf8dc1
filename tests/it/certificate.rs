//! A certificate that signs itself, as a phone system at home has it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// Files in a folder of their own.
pub struct Certificate {
    pub folder: TempDir,
    pub der: CertificateDer<'static>,
}

impl Certificate {
    /// For `127.0.0.1` and `localhost`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let der = write(&folder);
        Self { folder, der }
    }

    /// Puts another one in place of it.
    pub fn renew(&mut self) {
        self.der = write(&self.folder);
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// `[sip.tls]` at any free port.
    pub fn settings(&self) -> String {
        let (certificate, key) = (self.certificate(), self.key());
        format!(
            "[sip.tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = {certificate:?}\nkey = {key:?}\n"
        )
    }
}

fn write(folder: &TempDir) -> CertificateDer<'static> {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}
