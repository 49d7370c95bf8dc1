//! The way of what is recorded from whoever hears it to whoever keeps it: a ring that is short as long as it
//! is emptied in time, and has a long one behind it from when it once was not.
//!
//! Whoever writes never waits. Thousands of rings are there at once and hardly filled, so only those that
//! need it have room for five seconds.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{Ordering, fence},
};

use super::Codec;

/// Bytes of a short ring: a second, of Opus usually three.
const SHORT: usize = Codec::RATE as usize;
/// Bytes of a long one: four seconds.
const LONG: usize = Codec::RATE as usize * 4;
/// The most that waits in both.
pub const MOST: usize = SHORT + LONG;

/// Where bytes go in. Dropping it says that those were all.
#[derive(Debug)]
pub struct Writer {
    ring: rtrb::Producer<u8>,
    /// How long the ring may become, and where its reader finds it then.
    longer: Option<(usize, Next)>,
}

/// Where they come out, in order.
#[derive(Debug)]
pub struct Reader {
    ring: rtrb::Consumer<u8>,
    next: Next,
}

type Next = Arc<Mutex<Option<rtrb::Consumer<u8>>>>;

/// There is no room, and will be none: nothing of what was to be written is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ring is full")]
pub struct Full;

/// A ring that holds a second at first, and four more when that is not enough.
pub fn new() -> (Writer, Reader) {
    of(SHORT, LONG)
}

/// A ring that holds so many bytes at first, and so many more when that is not enough.
pub fn of(short: usize, long: usize) -> (Writer, Reader) {
    let (writer, reader) = rtrb::RingBuffer::new(short);
    let next = Next::default();
    let longer = Some((long, next.clone()));
    (Writer { ring: writer, longer }, Reader { ring: reader, next })
}

impl Writer {
    /// Writes all of it or, with [`Full`], nothing. Takes memory only the one time that it needs more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.ring.push_entire_slice(bytes).is_ok() {
            return Ok(());
        }
        let (long, next) = self.longer.take().ok_or(Full)?;
        let (writer, reader) = rtrb::RingBuffer::new(long);
        *lock(&next) = Some(reader);
        // That the short one is let go of tells its reader to look for the long one.
        self.ring = writer;
        self.ring.push_entire_slice(bytes).map_err(|_| Full)
    }

    /// Whether nobody reads any more.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

impl Reader {
    /// Whether nobody writes any more. What was written before that may still wait here.
    pub fn is_abandoned(&self) -> bool {
        self.is_left() && lock(&self.next).as_ref().is_none_or(rtrb::Consumer::is_abandoned)
    }

    /// Takes all that waits.
    pub fn take(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        loop {
            // Asked before the ring is emptied: what was written before it was left is in it then.
            let is_left = self.is_left();
            if let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) {
                let (one, two) = chunk.as_slices();
                taken.reserve(one.len() + two.len());
                taken.extend_from_slice(one);
                taken.extend_from_slice(two);
                chunk.commit_all();
            }
            let next = if is_left { lock(&self.next).take() } else { None };
            match next {
                Some(next) => self.ring = next,
                None => return taken,
            }
        }
    }

    /// Whether nothing more comes in the present ring.
    fn is_left(&self) -> bool {
        let is_left = self.ring.is_abandoned();
        // What was done before it was left is seen from here on.
        fence(Ordering::Acquire);
        is_left
    }
}

fn lock(next: &Next) -> MutexGuard<'_, Option<rtrb::Consumer<u8>>> {
    next.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of which no row comes twice.
    fn bytes(count: usize) -> Vec<u8> {
        let row = std::iter::successors(Some(0x9e37_79b9_u32), |it| {
            let it = it ^ it << 13;
            let it = it ^ it >> 17;
            Some(it ^ it << 5)
        });
        row.map(|it| (it >> 24) as u8).take(count).collect()
    }

    #[test]
    fn what_is_read_in_time_needs_no_more_room() {
        let (mut writer, mut reader) = of(100, 400);
        for some in bytes(1_000).chunks(90) {
            writer.push(some).unwrap();
            assert_eq!(reader.take(), some);
        }
        assert!(writer.longer.is_some());
    }

    #[test]
    fn what_nobody_reads_in_time_comes_in_order_all_the_same() {
        let (mut writer, mut reader) = of(100, 400);
        let all = bytes(1_200);
        let mut read = Vec::new();
        for (at, some) in all.chunks(30).enumerate() {
            writer.push(some).unwrap();
            if at % 7 == 6 {
                read.extend(reader.take());
            }
        }
        drop(writer);
        assert!(reader.is_abandoned());
        read.extend(reader.take());
        assert_eq!(read, all);
    }

    #[test]
    fn a_ring_is_full_when_the_long_one_is_and_goes_on_when_there_is_room() {
        let (mut writer, mut reader) = of(100, 400);
        let all = bytes(500);
        writer.push(&all[..100]).unwrap();
        writer.push(&all[100..]).unwrap();
        assert_eq!(writer.push(&[1]), Err(Full));
        assert_eq!(reader.take(), all);
        writer.push(&[2]).unwrap();
        assert_eq!(reader.take(), [2]);
        assert_eq!(writer.push(&bytes(401)), Err(Full));
    }

    #[test]
    fn it_is_over_only_when_its_writer_is_gone_not_when_the_ring_has_changed() {
        let (mut writer, mut reader) = of(10, 40);
        writer.push(&bytes(10)).unwrap();
        writer.push(&bytes(5)).unwrap();
        assert!(!reader.is_abandoned());
        reader.take();
        assert!(!reader.is_abandoned());
        drop(writer);
        assert!(reader.is_abandoned());
        assert!(reader.take().is_empty());
    }

    #[test]
    fn it_is_over_though_the_long_one_was_never_looked_at() {
        let (mut writer, mut reader) = of(10, 40);
        let all = bytes(25);
        writer.push(&all[..10]).unwrap();
        writer.push(&all[10..]).unwrap();
        drop(writer);
        assert!(reader.is_abandoned());
        assert_eq!(reader.take(), all);
        assert!(reader.take().is_empty());
    }

    #[test]
    fn whoever_writes_knows_that_nobody_reads() {
        let (mut writer, reader) = of(10, 40);
        writer.push(&bytes(10)).unwrap();
        writer.push(&bytes(5)).unwrap();
        assert!(!writer.is_abandoned());
        drop(reader);
        assert!(writer.is_abandoned());
    }

    #[test]
    fn two_threads_lose_nothing() {
        let all = bytes(400_000);
        let (mut writer, mut reader) = of(500, all.len());
        let written = all.clone();
        let writing = std::thread::spawn(move || {
            written.chunks(160).for_each(|it| writer.push(it).unwrap());
        });
        let mut read = Vec::new();
        loop {
            let over = reader.is_abandoned();
            read.extend(reader.take());
            if over {
                break;
            }
        }
        writing.join().unwrap();
        assert!(read == all, "{} of {} bytes", read.len(), all.len());
    }
}
