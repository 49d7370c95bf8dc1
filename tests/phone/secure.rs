//! TLS for a phone that speaks UDP: what it sends to the gate goes over one connection, and back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::header;

/// Connects to a server whose certificate this is; what is sent to the address goes there.
pub async fn gate(
    server: SocketAddr,
    certificate: &CertificateDer<'static>,
) -> io::Result<SocketAddr> {
    let mut stream = connect(server, certificate).await?;
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
    let here = socket.local_addr()?;
    tokio::spawn(async move {
        let (mut from_phone, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
        let (mut phone, mut received) = (None, Vec::new());
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
                    while let Some(message) = whole(&mut received) {
                        let Some(phone) = phone else { continue };
                        let _ = socket.send_to(&message, phone).await;
                    }
                }
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
