//! The engine of a program that was built without one: it says so.

use std::path::Path;

pub(super) enum Files {}

pub(super) enum Engine {}

pub(super) fn unpack(_: &str, _: &Path) -> anyhow::Result<Files> {
    anyhow::bail!("this program was built without a voice (feature `pico`)")
}

impl Engine {
    pub(super) fn load(files: &Files) -> anyhow::Result<Self> {
        match *files {}
    }

    pub(super) fn speak(&mut self, _: &str) -> anyhow::Result<Vec<i16>> {
        match *self {}
    }
}
