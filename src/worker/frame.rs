//! What a server and its workers say to each other: frames over a pipe.
//!
//! A frame is two lengths (32 bits, little-endian), a JSON header and a body of bytes, such as
//! samples or a file. Both lengths are bounded: neither side believes the other.

use std::io::{self, Read};

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest header; a transcript of an hour is about 100 kB.
const HEADER: u32 = 8 << 20;

/// Longest body: an hour of samples at 16,000 a second.
const BODY: u32 = 60 * 60 * 16_000 * 2;

/// The beginning of a frame: the lengths and the header. The body follows.
pub(super) fn encode(header: &impl Serialize, body: usize) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    let (long, wide) = (bounded(header.len(), HEADER)?, bounded(body, BODY)?);
    Ok([&long.to_le_bytes()[..], &wide.to_le_bytes(), &header].concat())
}

/// Reads one frame; an end of the pipe is `UnexpectedEof`.
pub(super) fn read<H: DeserializeOwned>(from: &mut impl Read) -> io::Result<(H, Vec<u8>)> {
    let mut lengths = [0; 8];
    from.read_exact(&mut lengths)?;
    let (long, wide) = decode(lengths)?;
    let mut header = vec![0; long];
    from.read_exact(&mut header)?;
    let mut body = vec![0; wide];
    from.read_exact(&mut body)?;
    Ok((serde_json::from_slice(&header)?, body))
}

/// Reads one frame without keeping a thread waiting.
pub(super) async fn hear<H: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<(H, Vec<u8>)> {
    let mut lengths = [0; 8];
    from.read_exact(&mut lengths).await?;
    let (long, wide) = decode(lengths)?;
    let mut header = vec![0; long];
    from.read_exact(&mut header).await?;
    let mut body = vec![0; wide];
    from.read_exact(&mut body).await?;
    Ok((serde_json::from_slice(&header)?, body))
}

fn decode(lengths: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = lengths;
    let long = bounded(u32::from_le_bytes([a, b, c, d]) as usize, HEADER)?;
    let wide = bounded(u32::from_le_bytes([e, f, g, h]) as usize, BODY)?;
    Ok((long as usize, wide as usize))
}

fn bounded(length: usize, most: u32) -> io::Result<u32> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, "a frame beyond its bound");
    u32::try_from(length).ok().filter(|&it| it <= most).ok_or_else(too_long)
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::*;

    #[test]
    fn a_job_arrives_as_it_was_sent() {
        let mut pipe = encode(&Some("fr"), 4).unwrap();
        pipe.extend([1, 2, 3, 4]);
        let (read, body): (Option<String>, _) = read(&mut pipe.as_slice()).unwrap();
        assert_eq!((read.as_deref(), body), (Some("fr"), vec![1, 2, 3, 4]));
    }

    #[test]
    fn lengths_beyond_the_bounds_are_refused_before_anything_is_allocated() {
        let huge = [0xff; 8];
        let refused = read::<Option<String>>(&mut huge.as_slice()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        assert!(encode(&Answer::<()>::Ready, u32::MAX as usize).is_err());
    }
}
