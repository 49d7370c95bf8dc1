//! Forms with files in them, as our pages send them.

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
};

use super::{
    Trouble,
    session::{Fields, Visitor},
    shown,
};
use crate::http::form::{File, Form, Part, Unfit};

/// A form on its way here. Its token comes first; nothing behind a wrong one is looked at.
pub(super) struct Arrival {
    form: Form,
    visitor: Visitor,
    fields: Vec<(String, String)>,
    is_ours: bool,
}

impl<S: Send + Sync> FromRequest<S> for Arrival {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        let visitor = request.extensions().get::<Visitor>().cloned().ok_or(Trouble::LoggedOut)?;
        let form = Form::of(request, state).await;
        let form = form.ok_or(Trouble::Refused("The form is no form with files."))?;
        Ok(Self { form, visitor, fields: Vec::new(), is_ours: false })
    }
}

impl Arrival {
    /// The next file; `None` behind the last. An empty one is no file: none was chosen.
    pub(super) async fn file(&mut self) -> Result<Option<File>, Trouble> {
        let Self { form, visitor, fields, is_ours } = self;
        loop {
            let next = form.next().await?;
            if !matches!(next, Some(Part::Text(..))) && !*is_ours {
                visitor.made("")?;
            }
            match next {
                None => return Ok(None),
                Some(Part::Text(name, text)) => {
                    if name == "token" {
                        visitor.made(&text)?;
                        *is_ours = true;
                    }
                    fields.push((name, text));
                }
                Some(Part::File(coming)) => {
                    let file = coming.arrive().await?;
                    if !file.name.is_empty() && !file.bytes.is_empty() {
                        return Ok(Some(file));
                    }
                }
            }
        }
    }

    /// What else stood in the form, as far as it has come.
    pub(super) fn fields(self) -> Fields {
        self.fields.into()
    }
}

impl From<Unfit> for Trouble {
    fn from(unfit: Unfit) -> Self {
        let status: StatusCode = unfit.status();
        Self::Unfit(status, shown::sentence(&unfit.to_string()))
    }
}
