//! Lists, a page at a time. The cursor says what the page before ended with; to whoever gets it, it
//! means nothing.

use axum::Json;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    access::Asked,
    problem::{Code, Problem},
};

/// Most in one page.
const LONGEST: u32 = 200;
/// As many if nobody says.
const USUAL: u32 = 50;

/// Which page is asked for.
pub(super) struct Page {
    limit: usize,
    /// What the page before ended with; empty for the first.
    pub(super) after: String,
}

impl Page {
    pub(super) fn of(asked: &Asked) -> Result<Self, Problem> {
        let limit = match asked.one("limit") {
            None => USUAL,
            Some(said) => {
                let limit = said.parse().ok().filter(|it| (1..=LONGEST).contains(it));
                let detail = "limit has to be a number from 1 to 200";
                limit.ok_or_else(|| Problem::new(Code::BadParameter, detail))?
            }
        };
        let after = match asked.one("cursor") {
            None => String::new(),
            Some(said) => read(said).ok_or_else(bad_cursor)?,
        };
        Ok(Self { limit: limit as usize, after })
    }

    /// How many rows to fetch: one more than is shown tells whether there are more.
    pub(super) fn fetch(&self) -> u32 {
        self.limit as u32 + 1
    }

    /// The page, from the rows that were fetched, how a cursor is made of one, and how it is shown.
    pub(super) fn of_rows<T>(
        &self,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> String,
        show: impl Fn(&T) -> Value,
    ) -> Json<Value> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|it| BASE64_URL_SAFE_NO_PAD.encode(key(it)));
        Json(json!({
            "items": rows.iter().map(show).collect::<Vec<_>>(),
            "next_cursor": next,
        }))
    }
}

/// It was not made here.
pub(super) fn bad_cursor() -> Problem {
    Problem::new(Code::BadParameter, "cursor has to be next_cursor of the page before")
}

fn read(cursor: &str) -> Option<String> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}
