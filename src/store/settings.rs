//! `[store]`: which database.

use std::{fs, path::PathBuf, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;

use super::StoreError;

/// `[store]`: where mailboxes, messages and jobs are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A PostgreSQL database: `postgres://USER@HOST/DATABASE`, with `?sslmode=verify-full` for a
    /// connection that is protected, with `?host=/run/postgresql` for a socket. Without it SQLite
    /// in the data folder is used.
    pub url: Option<String>,
    /// A file with nothing but the password in it. Without it `PGPASSFILE` or `~/.pgpass` is asked.
    pub password_file: Option<PathBuf>,
}

impl Settings {
    /// What is wrong with these settings, as a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        let Some(url) = &self.url else {
            return match &self.password_file {
                Some(_) => Err("password_file: there is no url it could be for".into()),
                None => Ok(()),
            };
        };
        let Some(rest) =
            ["postgres://", "postgresql://"].iter().find_map(|it| url.strip_prefix(it))
        else {
            return Err("url: must begin with postgres://".into());
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split('/').next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |it| it.0);
        // Whoever reads the settings, or sees them printed, must not learn it.
        if user.contains(':') || query.split('&').any(|it| it.starts_with("password=")) {
            return Err("url: put the password into a file and name it in password_file".into());
        }
        if place.split_once('/').is_none_or(|it| it.1.is_empty()) {
            return Err(
                "url: the name of the database is missing: postgres://USER@HOST/NAME".into()
            );
        }
        PgConnectOptions::from_str(url).map(drop).map_err(|error| format!("url: {}", cause(&error)))
    }

    /// How to reach PostgreSQL; `None` if the database is the file in the data folder.
    pub(super) fn options(&self) -> Result<Option<PgConnectOptions>, StoreError> {
        let Some(url) = &self.url else { return Ok(None) };
        self.check().map_err(StoreError::Settings)?;
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Settings(format!("url: {error}")))?;
        let Some(path) = &self.password_file else { return Ok(Some(options)) };
        let text = fs::read_to_string(path)
            .map_err(|source| StoreError::Password { path: path.clone(), source })?;
        Ok(Some(options.password(text.trim_end_matches(['\r', '\n']))))
    }
}

/// What lies at the bottom of an error; the layers above only say where it was noticed.
fn cause(error: &sqlx::Error) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |it| it.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}
