//! What is spoken, as names of clips under `prompts/<language>/`.

/// A sentence the server can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phrase {
    NotAvailable { number: String },
    Instructions,
    TooShort,
    NothingHeard,
    ReviewMenu,
    Saved,
    Deleted,
    Goodbye,
    MailboxFull,
    NotSaved,
    OneMoment,
}
