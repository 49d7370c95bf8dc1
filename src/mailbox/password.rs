//! Passwords of people who look after a tenant in the browser: which ones are taken, and how they are
//! kept.

use std::fmt;

use super::kept;

/// What somebody says is a password. It shows in no log and no error.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too few characters to be safe, or more than anybody types.
    #[error("a password has {} to {} characters", Password::SHORTEST, Password::LONGEST)]
    Length,
    /// The address of whose it is, or what stands before the `@`, is most of it.
    #[error("the password is too much like the email address")]
    LikeAddress,
    /// The first that anybody would try.
    #[error("the password is too easy to guess: it has too few different characters")]
    Easy,
}

impl Password {
    /// Fewest characters.
    pub const SHORTEST: usize = 10;
    /// Most characters.
    pub const LONGEST: usize = 200;
    /// Fewest characters that differ.
    const DIFFERENT: usize = 5;
    /// Characters of a password that is made up here: 120 bits.
    const MADE: usize = 24;
    /// What such a one is made of: nothing that looks like something else.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";

    /// What was typed, whatever it is.
    pub fn new(typed: String) -> Self {
        Self(typed)
    }

    /// One made of chance, in groups that can be read out.
    pub fn made(chance: &[u8; Self::MADE]) -> Self {
        let mut text = String::with_capacity(Self::MADE + Self::MADE / 6);
        for (at, byte) in chance.iter().enumerate() {
            if at > 0 && at % 6 == 0 {
                text.push('-');
            }
            text.push(char::from(Self::LETTERS[usize::from(byte % 32)]));
        }
        Self(text)
    }

    /// The password, to be shown once to whoever asked for a new one.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it may be that of the person with this address.
    pub fn check(&self, email: &str) -> Result<(), PasswordError> {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&self.0.chars().count()) {
            return Err(PasswordError::Length);
        }
        let (said, email) = (self.0.to_lowercase(), email.to_lowercase());
        let local = email.split('@').next().unwrap_or_default();
        let left = |of: &str| said.replace(of, "").chars().count();
        // A name in a long sentence is no harm.
        if [email.as_str(), local].iter().any(|it| it.len() > 2 && left(it) < Self::SHORTEST / 2) {
            return Err(PasswordError::LikeAddress);
        }
        let mut different: Vec<char> = said.chars().collect();
        different.sort_unstable();
        different.dedup();
        match different.len() < Self::DIFFERENT {
            true => Err(PasswordError::Easy),
            false => Ok(()),
        }
    }

    /// What is kept of it. Takes some 30 ms; `pepper` is the server's own, `salt` is chance.
    pub fn hash(&self, pepper: &[u8], salt: &[u8; 16]) -> String {
        kept::hash(&self.0, pepper, salt)
    }

    /// Whether a hash is of this password. Takes as long where there is none.
    pub fn matches(&self, pepper: &[u8], hash: Option<&str>) -> bool {
        match hash {
            Some(hash) => kept::matches(&self.0, pepper, hash),
            None => {
                kept::hash(&self.0, pepper, &[0; 16]);
                false
            }
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), PasswordError> {
        Password::new(password.to_owned()).check("ann.miller@acme.example")
    }

    #[test]
    fn a_password_is_long_enough_and_not_its_owners_address() {
        for (password, why) in [
            ("", PasswordError::Length),
            ("tulip-bed", PasswordError::Length),
            ("ann.miller@acme.example", PasswordError::LikeAddress),
            ("Ann.Miller1!", PasswordError::LikeAddress),
            ("aaaaaaaaaaaaaaa", PasswordError::Easy),
            ("1212121212121212", PasswordError::Easy),
        ] {
            assert_eq!(check(password), Err(why), "{password}");
        }
        assert_eq!(check(&"long".repeat(51)), Err(PasswordError::Length));
        for fine in ["tulip-bed-7", "ann.miller likes tulips", "ünicode tülips"] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn a_password_made_up_here_is_taken() {
        let made = Password::made(&std::array::from_fn(|at| at as u8));
        assert_eq!(made.reveal(), "abcdef-ghijkm-nopqrs-tuvwxy");
        assert_eq!(made.check("ann@acme.example"), Ok(()));
    }

    #[test]
    fn a_hash_is_of_one_password_with_one_pepper() {
        let password = Password::new("tulip-bed-7".to_owned());
        let hash = password.hash(b"pepper", &[7; 16]);
        assert!(password.matches(b"pepper", Some(&hash)));
        assert!(!password.matches(b"salt", Some(&hash)));
        assert!(!Password::new("tulip-bed-8".to_owned()).matches(b"pepper", Some(&hash)));
        assert!(!password.matches(b"pepper", None));
        assert_eq!(format!("{password:?}"), "Password");
    }
}
