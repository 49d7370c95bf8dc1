//! How secrets that people choose are kept: as hashes that take long to try.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};

/// What is kept of a secret: Argon2id with the strength that OWASP asks for (19 MiB, 2 passes), as a
/// PHC string. Takes some 30 ms. `pepper` is the server's own, `salt` is chance.
pub(super) fn hash(secret: &str, pepper: &[u8], salt: &[u8; 16]) -> String {
    let hash = hasher(pepper).hash_password_with_salt(secret.as_bytes(), salt);
    hash.expect("salt and parameters are within the limits of Argon2").to_string()
}

/// Whether a hash is of this secret. Takes as long as [`hash`].
pub(super) fn matches(secret: &str, pepper: &[u8], hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    hasher(pepper).verify_password(secret.as_bytes(), &hash).is_ok()
}

fn hasher(pepper: &[u8]) -> Argon2<'_> {
    let params = Params::new(19 * 1_024, 2, 1, None);
    let params = params.expect("the parameters are within the limits of Argon2");
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
        .expect("a pepper is shorter than 4 GiB")
}
