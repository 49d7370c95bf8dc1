//! What operators and programs do alike, by a verb or through the API: the checks and steps that
//! both go through, so that neither can do what the other would refuse.

pub mod check;
pub mod greeting;
pub mod mailbox;
pub mod music;
pub mod settings;
pub mod token;
