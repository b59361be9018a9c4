//! The newer signature, made right and made wrong.

mod changes;

use thingcall_core::Secret;

use super::spelling::Spelling;
use super::tries::Way;
use super::v1::{Order, joined, ordered};
use crate::encoded::base64_of;
use crate::sign;

pub(super) use changes::{Parts, changes};

/// A way to make it.
#[derive(Debug, Clone)]
pub(super) struct Acs3Way {
    method: String,
    path: String,
    query: Query,
    /// The headers' lines.
    lines: Vec<(String, String)>,
    /// The names in one.
    names: String,
    gap: &'static str,
    hash: String,
    end: &'static str,
    string: Stringed,
    secret: Secret,
    suffix: &'static str,
    written: Written,
}

#[derive(Debug, Clone)]
enum Query {
    /// Of these pairs, decoded, as sent.
    Of { pairs: Vec<(String, String)>, order: Order, spelling: Spelling, blanks: Blanks },
    /// A text.
    Text(String),
}

#[derive(Debug, Clone, Copy)]
enum Blanks {
    WithEqual,
    WithoutEqual,
}

/// What becomes of the canonical request before it is signed.
#[derive(Debug, Clone, Copy)]
enum Stringed {
    Hashed,
    NotHashed,
    HashedUpper,
    HashAlone,
    HashedThenNewline,
}

#[derive(Debug, Clone, Copy)]
enum Written {
    Hex,
    HexUpper,
    Base64,
    OfSha1,
}

impl Acs3Way {
    /// The right one, of the canonical request that this server has made; `None` if it is none.
    pub(super) fn right(canonical: &str, pairs: Vec<(String, String)>, secret: &Secret) -> Option<Self> {
        let mut lines = canonical.split('\n');
        let (method, path, _query) = (lines.next()?, lines.next()?, lines.next()?);
        let headers = lines.by_ref().take_while(|line| !line.is_empty());
        let headers: Vec<_> = headers.filter_map(|line| line.split_once(':')).collect();
        let (names, hash) = (lines.next()?, lines.next()?);
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Query::Of { pairs, order: Order::Bytes, spelling: Spelling::RIGHT, blanks: Blanks::WithEqual },
            lines: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            names: names.to_owned(),
            gap: "\n",
            hash: hash.to_owned(),
            end: "",
            string: Stringed::Hashed,
            secret: secret.clone(),
            suffix: "",
            written: Written::Hex,
        })
    }

    fn set_query(&mut self, set: impl FnOnce(&mut Vec<(String, String)>, &mut Order, &mut Spelling, &mut Blanks)) {
        if let Query::Of { pairs, order, spelling, blanks } = &mut self.query {
            set(pairs, order, spelling, blanks);
        }
    }
}

impl Way for Acs3Way {
    fn text(&self) -> String {
        let query = match &self.query {
            Query::Text(text) => text.clone(),
            Query::Of { pairs, order, spelling, blanks } => {
                let query = joined(&ordered(pairs, *order), *spelling);
                match blanks {
                    Blanks::WithEqual => query,
                    Blanks::WithoutEqual => {
                        let pairs = query.split('&').map(|pair| pair.strip_suffix('=').unwrap_or(pair));
                        pairs.collect::<Vec<_>>().join("&")
                    }
                }
            }
        };
        let mut out = format!("{}\n{}\n{query}\n", self.method, self.path);
        for (name, value) in &self.lines {
            out.extend([name.as_str(), ":", value, "\n"]);
        }
        out.extend([self.gap, &self.names, "\n", &self.hash, self.end]);
        out
    }

    fn signature(&self, text: &str) -> String {
        let string = match self.string {
            Stringed::Hashed => sign::acs3_string(text.as_bytes()),
            Stringed::NotHashed => format!("{}\n{text}", sign::ACS3),
            Stringed::HashedUpper => {
                format!("{}\n{}", sign::ACS3, sign::sha256_hex(text.as_bytes()).to_uppercase())
            }
            Stringed::HashAlone => sign::sha256_hex(text.as_bytes()),
            Stringed::HashedThenNewline => sign::acs3_string(text.as_bytes()) + "\n",
        };
        let key = format!("{}{}", self.secret.expose(), self.suffix);
        let sha256 = || sign::hmac_sha256(key.as_bytes(), &string);
        match self.written {
            Written::Hex => sign::hex_of(&sha256()),
            Written::HexUpper => sign::hex_of(&sha256()).to_uppercase(),
            Written::Base64 => base64_of(&sha256()),
            Written::OfSha1 => sign::hex_of(&sign::hmac_sha1(key.as_bytes(), &string)),
        }
    }
}
