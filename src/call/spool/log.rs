//! The append-only log: numbered segment files in one folder, written by one thread.
//!
//! What is not synced yet is also held in memory. When the disk fails, nothing is synced a second
//! time in the hope of a better answer: the segment is left as it is, and what was not known to be
//! on disk is written once more to a new one. Readers know blocks by their numbers, so twice is
//! once.
//!
//! A segment goes when no take in it is alive. End-marks in it must outlive the blocks they end, or
//! a discarded take would come back: those still needed are written to the current segment first.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::mpsc::RecvTimeoutError,
    time::Duration,
};

use tracing::error;

use super::{
    Disk, Settings, SpoolError,
    block::{Block, HEADER, Kind},
    syncer::Syncer,
};
use crate::{
    audio::{Codec, piece},
    mailbox::MessageId,
};

/// Where a block lies, and what is in it if it is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    offset: u32,
    length: u32,
    /// What it is spoken in, unless it is what the take began in.
    pub(super) codec: Option<Codec>,
    /// How long it lasts, in ticks.
    ticks: u32,
}

/// What a segment holds, as far as it matters for when it may go.
#[derive(Debug, Default)]
pub(super) struct Segment {
    takes: HashSet<MessageId>,
    marks: Vec<(Kind, MessageId)>,
    /// It is damaged, and is renamed where others are removed.
    is_damaged: bool,
}

/// Blocks that lay behind `after` in one segment now begin another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    from: u32,
    after: u64,
    to: u32,
}

/// What is done while the disk takes its time: more may be appended.
pub(super) type Meanwhile<'a> = &'a mut dyn FnMut(&mut Log);

/// The most ticks a block may claim: a day.
const MOST_TICKS: u64 = 24 * 3_600 * Codec::RATE as u64;

/// Between two turns of that.
const TURN: Duration = Duration::from_millis(100);

/// The log, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    disk: Disk,
    /// Keeps a second server out for as long as it is open.
    _lock: File,
    segment_bytes: u64,
    segments: BTreeMap<u32, Segment>,
    current: u32,
    /// The current segment; made when there is something to write.
    file: Option<File>,
    /// It was made since the last sync.
    is_new: bool,
    syncer: Syncer,
    /// How much of it is known to be on disk.
    synced: u64,
    /// What comes after that, and how much of it was handed to the file.
    unsynced: Vec<u8>,
    written: usize,
    pub(super) syncs: u64,
    pub(super) bytes: u64,
    /// Those of all these bytes that are known to be on disk.
    pub(super) safe: u64,
}

impl Log {
    /// Opens the folder and calls `read` with each segment that is there, oldest first.
    pub(super) fn open(
        settings: &Settings,
        disk: Disk,
        mut read: impl FnMut(u32, &[u8]) -> Segment,
    ) -> Result<Self, SpoolError> {
        let folder = settings.directory.clone();
        let failed = |cause: io::Error| SpoolError::Open(folder.clone(), cause.into());
        make(&folder, &disk).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => SpoolError::InUse(folder.clone()),
            TryLockError::Error(cause) => failed(cause),
        })?;
        let mut segments = BTreeMap::new();
        for number in numbers(&folder).map_err(failed)? {
            let bytes = fs::read(path(&folder, number)).map_err(failed)?;
            segments.insert(number, read(number, &bytes));
        }
        Ok(Self {
            current: segments.keys().last().map_or(1, |last| last + 1),
            disk,
            _lock: lock,
            segment_bytes: settings.segment_bytes,
            segments,
            file: None,
            is_new: false,
            syncer: Syncer::start().map_err(failed)?,
            synced: 0,
            unsynced: Vec::new(),
            written: 0,
            syncs: 0,
            bytes: 0,
            safe: 0,
            folder,
        })
    }

    /// Adds a block. It is on disk after the next [`Self::sync`].
    pub(super) fn append(&mut self, block: &Block<'_>) -> Place {
        let offset = self.synced + self.unsynced.len() as u64;
        block.write(&mut self.unsynced);
        self.segments.entry(self.current).or_default().note(block.kind, block.take);
        Place::new(self.current, offset, block)
    }

    /// Hands what was appended to the system: from here on it survives the end of this process.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.written == self.unsynced.len() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                self.is_new = true;
                none.insert(self.disk.create(&path(&self.folder, self.current))?)
            }
        };
        self.disk.write(file, &self.unsynced[self.written..])?;
        self.bytes += (self.unsynced.len() - self.written) as u64;
        self.written = self.unsynced.len();
        Ok(())
    }

    /// Returns once all that was appended before is on the disk. What is appended meanwhile is
    /// handed to the system and waits for the next sync.
    pub(super) fn sync(&mut self, meanwhile: Meanwhile<'_>) -> io::Result<()> {
        self.flush()?;
        let (Some(file), true) = (&self.file, self.is_dirty()) else { return Ok(()) };
        let (disk, file) = (self.disk.clone(), file.try_clone()?);
        let folder = self.is_new.then(|| self.folder.clone());
        let (length, bytes) = (self.unsynced.len(), self.bytes);
        let work = move || {
            disk.sync(&file)?;
            folder.map_or(Ok(()), |it| disk.sync_folder(&it))
        };
        // A segment can be left only when nothing was appended meanwhile: at twice its size it is.
        let mut nothing = |_: &mut Self| {};
        let is_long = self.synced >= 2 * self.segment_bytes;
        self.patiently(work, if is_long { &mut nothing } else { meanwhile })?;
        self.is_new = false;
        self.syncs += 1;
        self.safe = bytes;
        self.synced += length as u64;
        self.unsynced.drain(..length);
        self.written -= length;
        if self.synced >= self.segment_bytes && !self.is_dirty() {
            self.rotate();
        }
        Ok(())
    }

    /// Lets the disk work, and does other things until it is done.
    fn patiently(
        &mut self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<()> {
        let done = self.syncer.begin(work);
        loop {
            match done.recv_timeout(TURN) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that syncs is gone"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    meanwhile(self);
                    self.flush()?;
                }
            }
        }
    }

    /// Whether something was appended since the last sync.
    pub(super) fn is_dirty(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// After a failed write or sync: leaves the segment; what may be lost in it will be written to
    /// the next one.
    pub(super) fn move_on(&mut self) -> Moved {
        let (from, after) = (self.current, self.synced);
        self.rotate();
        let old = self.segments.get(&from).map(Segment::copy).unwrap_or_default();
        self.segments.insert(self.current, old);
        Moved { from, after, to: self.current }
    }

    /// After that failed as well: leaves the segment, and what was not synced is lost. Answers what
    /// a place must be asked to know if it is still there.
    pub(super) fn give_up(&mut self) -> impl Fn(&Place) -> bool + use<> {
        let (segment, synced) = (self.current, self.synced);
        self.unsynced.clear();
        self.rotate();
        move |place| place.segment != segment || u64::from(place.offset) < synced
    }

    /// Whether the disk takes writes again.
    pub(super) fn probe(&self) -> io::Result<()> {
        self.disk.probe(&self.folder)
    }

    /// Bytes that may still be written.
    pub(super) fn free(&self) -> io::Result<u64> {
        self.disk.free(&self.folder)
    }

    /// How many segments there are.
    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Removes every segment without a living take. All end-marks must be synced.
    pub(super) fn sweep(
        &mut self,
        lives: impl Fn(&MessageId) -> bool,
        meanwhile: Meanwhile<'_>,
    ) -> io::Result<()> {
        self.rotate_if_spent(&lives);
        let dead = |segment: &Segment| !segment.takes.iter().any(&lives);
        let spent = self.segments.range(..self.current).filter(|it| dead(it.1));
        let spent: Vec<_> = spent.map(|(number, _)| *number).collect();
        for number in spent {
            let needed = self.needed_marks(number);
            for &(kind, take) in &needed {
                self.append(&Block { kind, codec: None, take, number: 0, payload: &[] });
            }
            if !needed.is_empty() {
                self.sync(meanwhile)?;
            }
            self.clear_away(number, meanwhile)?;
        }
        Ok(())
    }

    fn clear_away(&mut self, number: u32, meanwhile: Meanwhile<'_>) -> io::Result<()> {
        let path = path(&self.folder, number);
        let (disk, folder) = (self.disk.clone(), self.folder.clone());
        if self.segments.get(&number).is_some_and(|it| it.is_damaged) {
            let aside = path.with_extension("damaged");
            error!("segment {number} of the spool was damaged and is kept as {aside:?}");
            let work = move || fs::rename(&path, aside).and_then(|()| disk.sync_folder(&folder));
            self.patiently(work, meanwhile)?;
        } else {
            self.patiently(move || disk.remove(&path), meanwhile)?;
        }
        self.segments.remove(&number);
        Ok(())
    }

    /// What callers took back should not lie around until the segment is full.
    fn rotate_if_spent(&mut self, lives: impl Fn(&MessageId) -> bool) {
        let Some(segment) = self.segments.get(&self.current) else { return };
        let spent = self.synced > 0 && !segment.takes.iter().any(lives);
        if spent && !self.is_dirty() && self.needed_marks(self.current).is_empty() {
            self.rotate();
        }
    }

    fn needed_marks(&self, number: u32) -> Vec<(Kind, MessageId)> {
        let elsewhere = |take: &MessageId| {
            self.segments.iter().any(|(other, it)| *other != number && it.takes.contains(take))
        };
        let Some(segment) = self.segments.get(&number) else { return Vec::new() };
        segment.marks.iter().filter(|(_, take)| elsewhere(take)).copied().collect()
    }

    fn rotate(&mut self) {
        self.file = None;
        self.is_new = false;
        self.current += 1;
        self.synced = 0;
        self.written = 0;
    }
}

impl Segment {
    /// Takes note of a block in it.
    pub(super) fn note(&mut self, kind: Kind, take: MessageId) {
        if kind.is_end() {
            self.marks.push((kind, take));
        } else {
            self.takes.insert(take);
        }
    }

    /// Something in it could not be read.
    pub(super) fn keep_aside(&mut self) {
        self.is_damaged = true;
    }

    fn copy(&self) -> Self {
        Self { takes: self.takes.clone(), marks: self.marks.clone(), is_damaged: false }
    }
}

impl Place {
    pub(super) fn new(segment: u32, offset: u64, block: &Block<'_>) -> Self {
        let (codec, length) = (block.codec, block.payload.len());
        // Segments are below 2 GiB by `Settings::check`, payloads below 64 KiB.
        let (offset, length) = (offset as u32, length as u32);
        Self { segment, offset, length, codec, ticks: ticks(block) }
    }

    /// How long the sound in the block lasts, in ticks: samples of G.711.
    pub(super) fn samples(&self) -> u64 {
        u64::from(self.ticks)
    }

    /// Goes along when what was not synced moves to another segment.
    pub(super) fn follow(&mut self, moved: Moved) {
        if self.segment == moved.from && u64::from(self.offset) >= moved.after {
            self.segment = moved.to;
            self.offset -= moved.after as u32;
        }
    }

    /// Bytes of the block.
    pub(super) fn bytes(&self) -> usize {
        HEADER + self.length as usize
    }

    /// Puts the sound in the block behind `sound`, if it still is what was written there.
    pub(super) fn read(&self, file: &File, take: MessageId, sound: &mut Vec<u8>) -> io::Result<()> {
        let begin = sound.len();
        sound.resize(begin + self.bytes(), 0);
        file.read_exact_at(&mut sound[begin..], u64::from(self.offset))?;
        match Block::read(&sound[begin..]) {
            Ok(Some((block, _))) if block.take == take && block.kind == Kind::Data => {
                sound.drain(begin..begin + HEADER);
                Ok(())
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Of pieces that are not whole, nothing is believed: they were written whole.
fn ticks(block: &Block<'_>) -> u32 {
    let in_pieces = block.codec.is_some_and(|it| it.law().is_none());
    match (block.kind, in_pieces) {
        (Kind::Data, false) => block.payload.len() as u32,
        (Kind::Data, true) => piece::ticks(block.payload).map_or(0, |it| it.min(MOST_TICKS) as u32),
        _ => 0,
    }
}

/// Where a segment lies.
pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(file_name(number))
}

/// Makes the folder for this user alone, and makes it last.
fn make(folder: &Path, disk: &Disk) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match folder.parent() {
        Some(parent) if parent != Path::new("") => disk.sync_folder(parent),
        _ => Ok(()),
    }
}

fn file_name(number: u32) -> String {
    format!("{number:08}.log")
}

fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|it| it.strip_suffix(".log")?.parse().ok());
        // Only names this log gives itself: what else lies here is somebody's own.
        numbers.extend(number.filter(|&it| it < u32::MAX / 2 && *name == *file_name(it)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
