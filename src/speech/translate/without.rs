//! The engine of a program that was built without one: it says so.

use std::path::Path;

pub(in crate::speech) enum Engine {}

impl Engine {
    pub(in crate::speech) fn load(_: &Path) -> anyhow::Result<Self> {
        anyhow::bail!("this program was built without translation (feature `translation`)")
    }

    pub(in crate::speech) fn translate(&self, _: &str) -> anyhow::Result<String> {
        match *self {}
    }
}
