//! One thing that can be done through the API: what it is, who may, what it takes and answers.

use axum::{
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter, on},
};
use serde_json::{Value, json};

use super::Api;
use crate::store::tokens::Scope;

/// An entry of the list of all that can be done.
pub(super) struct Operation {
    pub(super) method: Method,
    /// Below the root of the API.
    pub(super) path: &'static str,
    /// What programs call it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// What a token must be for.
    pub(super) scope: Scope,
    /// It is about one tenant's things: a token for all of them has to say whose.
    pub(super) of_tenant: bool,
    pub(super) query: Vec<Parameter>,
    /// Headers that it has to be sent with, or may be.
    pub(super) headers: Vec<Parameter>,
    /// Takes `If-Match`.
    pub(super) conditional: bool,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// Statuses of its refusals, besides those that follow from the rest.
    pub(super) refusals: Vec<u16>,
    pub(super) handler: MethodRouter<Api>,
}

/// Something that may stand behind the `?`, or is a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) schema: Value,
    pub(super) required: bool,
}

/// What is sent with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// JSON, of the schema of this name.
    Json(&'static str),
    /// A sound file, or a text to be spoken.
    Recording,
    /// A sound file, or a form with one.
    Sound,
    /// The next part of a file.
    Piece,
}

/// What comes back when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// One thing, of the schema of this name.
    One(u16, &'static str),
    /// The same, and where it lies.
    Made(&'static str),
    /// A stretch of a list of them.
    List(&'static str),
    /// Nothing but the status.
    Nothing(u16),
    /// Nothing but the status, and how much of a file there is.
    Offset,
    /// Sound, all of it or a part.
    Sound,
}

impl Operation {
    pub(super) fn new<H, T>(
        (method, path): (Method, &'static str),
        (id, summary): (&'static str, &'static str),
        scope: Scope,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method everybody knows");
        Self {
            method,
            path,
            id,
            summary,
            scope,
            of_tenant: true,
            query: Vec::new(),
            headers: Vec::new(),
            conditional: false,
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            handler: on(filter, handler),
        }
    }

    /// It is not about one tenant's things.
    pub(super) fn of_house(self) -> Self {
        Self { of_tenant: false, ..self }
    }

    pub(super) fn asks(self, name: &'static str, what: &'static str, schema: Value) -> Self {
        self.asks_all([Parameter { name, what, schema, required: false }])
    }

    pub(super) fn asks_all(mut self, all: impl IntoIterator<Item = Parameter>) -> Self {
        self.query.extend(all);
        self
    }

    pub(super) fn reads(mut self, header: Parameter) -> Self {
        self.headers.push(header);
        self
    }

    /// It answers with a list, a page at a time.
    pub(super) fn lists(self, item: &'static str) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        let cursor = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 512 });
        self.asks("limit", "At most so many.", limit)
            .asks("cursor", "`next_cursor` of the page before.", cursor)
            .answers(Answer::List(item))
    }

    pub(super) fn takes(self, body: Body) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn conditional(self) -> Self {
        Self { conditional: true, ..self }
    }

    pub(super) fn answers(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    pub(super) fn refuses(mut self, status: u16) -> Self {
        self.refusals.push(status);
        self
    }

    /// Every status it may answer with: what it says itself, and what follows from it. A failure
    /// of the server itself (500) may come from any.
    pub(super) fn refusals(&self) -> Vec<u16> {
        let mut all = self.refusals.clone();
        all.extend([400, 401, 403, 503]);
        if self.of_tenant || self.path.contains('{') {
            all.push(404);
        }
        match self.body {
            Some(Body::Json(_)) => all.extend([413, 415, 422]),
            Some(Body::Recording | Body::Sound) => all.extend([408, 413, 415, 422]),
            Some(Body::Piece) => all.extend([408, 413, 415]),
            None => {}
        }
        if self.conditional {
            all.push(412);
        }
        if self.answers.contains(&Answer::Sound) {
            all.push(416);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
