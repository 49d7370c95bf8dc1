//! TLS for a phone that speaks UDP: what it sends to the gate goes over one connection, and back.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::header;

/// Connects to a server whose certificate this is; what is sent to the address goes there.
pub async fn gate(
    server: SocketAddr,
    certificate: &CertificateDer<'static>,
) -> io::Result<SocketAddr> {
    relay(connect(server, certificate).await?, None).await
}

/// Where others connect to over TLS.
pub struct Gatehouse {
    pub address: SocketAddr,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

/// Waits at any free port of this address for those who believe a certificate.
pub async fn gatehouse(ip: &str, certificate: &Path, key: &Path) -> io::Result<Gatehouse> {
    let chain = vec![CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?];
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    let listener = TcpListener::bind((ip, 0)).await?;
    let address = listener.local_addr()?;
    Ok(Gatehouse { address, listener, acceptor: TlsAcceptor::from(Arc::new(server)) })
}

impl Gatehouse {
    /// Lets the next one in; what is sent to the address goes to them, and what they say to this phone.
    pub async fn open(&mut self, phone: SocketAddr) -> io::Result<SocketAddr> {
        let (stream, _) = self.listener.accept().await?;
        relay(self.acceptor.accept(stream).await?, Some(phone)).await
    }
}

/// Whoever sends to the address is who speaks on the stream, and hears what comes from there.
async fn relay(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut phone: Option<SocketAddr>,
) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
    let here = socket.local_addr()?;
    tokio::spawn(async move {
        let (mut from_phone, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
        let mut received = Vec::new();
        loop {
            tokio::select! {
                Ok((length, from)) = socket.recv_from(&mut from_phone) => {
                    phone = Some(from);
                    if stream.write_all(&from_phone[..length]).await.is_err() {
                        return;
                    }
                    let _ = stream.flush().await;
                }
                read = stream.read(&mut from_server) => {
                    let Ok(1..) = read else { return };
                    received.extend_from_slice(&from_server[..read.unwrap_or(0)]);
                }
            }
            while let Some(phone) = phone
                && let Some(message) = whole(&mut received)
            {
                let _ = socket.send_to(&message, phone).await;
            }
        }
    });
    Ok(here)
}

/// A connection that trusts this certificate and no other.
pub async fn connect(
    server: SocketAddr,
    certificate: &CertificateDer<'static>,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(server.ip());
    TlsConnector::from(Arc::new(client)).connect(name, TcpStream::connect(server).await?).await
}

/// Takes one message off a stream (RFC 3261 §18.3).
fn whole(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = received.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let length: usize = header(&head, "Content-Length")?.parse().ok()?;
    let whole = end + length;
    (received.len() >= whole).then(|| received.drain(..whole).collect())
}
