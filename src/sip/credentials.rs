//! What stands in an `Authorization` header (RFC 7616 §3.4). Pure, and wary: it comes from strangers.

/// Somebody's claim to know a password. Nothing here is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Who they say they are.
    pub user: String,
    /// Where the password counts.
    pub realm: String,
    /// What they were given to prove themselves with.
    pub nonce: String,
    /// The address the request was for.
    pub uri: String,
    /// The proof.
    pub response: String,
    /// How it was made; `MD5` when nothing is said.
    pub algorithm: Option<String>,
    /// Their own chance value.
    pub cnonce: String,
    /// `auth` where the request alone is proved.
    pub qop: String,
    /// How often the nonce was used: 8 hex digits.
    pub count: String,
}

/// Longer headers are not read.
const LONGEST: usize = 2_048;
/// Nor are those with more parameters; RFC 7616 knows eleven.
const MOST_PARAMETERS: usize = 24;

impl Credentials {
    /// Reads the value of one header; `None` for another scheme than Digest, and for what cannot
    /// be read in one way only.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok().filter(|it| it.len() <= LONGEST)?.trim();
        let (scheme, rest) = text.split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut found = parameters(rest)?;
        let mut take = |name: &str| {
            let place = found.iter().position(|it| it.0.eq_ignore_ascii_case(name))?;
            Some(found.swap_remove(place).1)
        };
        let read = Self {
            user: take("username")?,
            realm: take("realm")?,
            nonce: take("nonce")?,
            uri: take("uri")?,
            response: take("response")?,
            algorithm: take("algorithm"),
            cnonce: take("cnonce").unwrap_or_default(),
            qop: take("qop").unwrap_or_default(),
            count: take("nc").unwrap_or_default(),
        };
        let twice = ["username", "realm", "nonce", "uri", "response", "algorithm", "nc"];
        twice.iter().all(|it| take(it).is_none()).then_some(read)
    }
}

/// `name=value, name="quoted value"`.
fn parameters(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, tail) = rest.split_once('=')?;
        let tail = tail.trim_start();
        let (value, after) = match tail.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, after) = tail.split_at(tail.find(',').unwrap_or(tail.len()));
                (value.trim().to_owned(), after)
            }
        };
        if found.len() == MOST_PARAMETERS {
            return None;
        }
        found.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// What stands before the closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    loop {
        match letters.next()? {
            (at, '"') => return Some((value, text.get(at + 1..)?)),
            (_, '\\') => value.push(letters.next()?.1),
            (_, letter) => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7616_is_read() {
        let value = b"Digest username=\"Mufasa\", realm=\"http-auth@example.org\",\
            uri=\"/dir/index.html\", algorithm=SHA-256,\
            nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\",nc=00000001,\
            cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth,\
            response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\",\
            opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let read = Credentials::parse(value).unwrap();
        assert_eq!((read.user.as_str(), read.count.as_str()), ("Mufasa", "00000001"));
        assert_eq!((read.uri.as_str(), read.qop.as_str()), ("/dir/index.html", "auth"));
        assert_eq!(read.algorithm.as_deref(), Some("SHA-256"));
        assert!(read.response.ends_with("b6c1"));
    }

    #[test]
    fn quotes_may_hold_commas_and_quotes() {
        let value = br#"digest username="a,\"b\\", realm="", nonce=n, uri="x" ,response=r"#;
        let read = Credentials::parse(value).unwrap();
        assert_eq!((read.user.as_str(), read.nonce.as_str()), (r#"a,"b\"#, "n"));
        assert_eq!(read.response, "r");
    }

    #[test]
    fn what_is_torn_ambiguous_or_endless_is_not_read() {
        let whole = r#"Digest username="a", realm="r", nonce="n", uri="u", response="x""#;
        assert!(Credentials::parse(whole.as_bytes()).is_some());
        for wrong in [
            "",
            "Digest",
            "Digest ",
            "Basic YTpi",
            "Digest username",
            r#"Digest username="a"#,
            r#"Digest username="a\"#,
            r#"Digest username="a", realm="r", nonce="n", uri="u""#,
            &format!(r#"{whole}, response="y""#),
            &format!(r#"{whole}, username="b""#),
            &format!("{whole}{}", ", x=y".repeat(30)),
            &format!(r#"{whole}, opaque="{}""#, "o".repeat(3_000)),
        ] {
            assert_eq!(Credentials::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Credentials::parse(&[0xff; 40]), None);
    }
}
