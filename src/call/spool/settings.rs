//! `[spool]` of the settings file.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::SpoolError;

/// `[spool]`: where takes lie until they are filed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A folder on a local disk, for this server alone.
    pub directory: PathBuf,
    /// A crash of the machine costs at most so much of what is being spoken.
    #[serde(with = "humantime_serde")]
    pub sync_every: Duration,
    /// The log goes on in a new file at this size.
    pub segment_bytes: u64,
    /// No new take is begun when the disk has less room than this, in bytes.
    pub least_free: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directory: "data/spool".into(),
            sync_every: Duration::from_secs(1),
            segment_bytes: 16 << 20,
            least_free: 256 << 20,
        }
    }
}

impl Settings {
    /// What is wrong with them, if anything.
    pub fn check(&self) -> Result<(), SpoolError> {
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&self.sync_every) {
            return Err(SpoolError::Settings("sync_every must be 10ms to 60s"));
        }
        if !(1_024..=1 << 30).contains(&self.segment_bytes) {
            return Err(SpoolError::Settings("segment_bytes must be 1 KiB to 1 GiB"));
        }
        Ok(())
    }
}
