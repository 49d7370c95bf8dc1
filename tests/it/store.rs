//! The store, on a database of its own per test: all of it on SQLite, and all of it on PostgreSQL.
#![allow(clippy::duplicate_mod, reason = "the same tests run on two engines")]

/// Which engine the tests of a module run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }
}

#[path = "store"]
pub(crate) mod sqlite {
    const ENGINE: super::Engine = super::Engine::Sqlite;
    mod call_backs;
    mod copies;
    mod engines;
    pub(crate) mod house;
    mod jobs;
    mod lamps;
    mod messages;
    mod music;
    mod notified;
    mod opening;
    mod owners;
    mod pages;
    mod pins;
    mod retention;
    mod room;
    mod rows;
    mod sessions;
    mod tokens;
    mod uploads;
}

#[path = "store"]
mod postgres {
    const ENGINE: super::Engine = super::Engine::Postgres;
    mod call_backs;
    mod copies;
    mod engines;
    pub(crate) mod house;
    mod jobs;
    mod lamps;
    mod messages;
    mod music;
    mod notified;
    mod owners;
    mod pages;
    mod pins;
    mod retention;
    mod room;
    mod rows;
    mod server;
    mod sessions;
    mod silence;
    mod tokens;
    mod uploads;
}
