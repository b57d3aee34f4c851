//! Arguments that cannot be wrong once parsed. The bounds are the same as in the published schemas, because a server
//! must not rely on whoever calls it having checked them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::world::Answer;

/// Reads a tool's arguments; the error is the tool's refusal.
pub(super) fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, Answer> {
    serde_json::from_value(arguments).map_err(|error| Answer::Refused(format!("arguments refused: {error}")))
}

/// Text of `1..=MAX` characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            0 => Err("text is empty".to_owned()),
            length if length > MAX => Err(format!("text has {length} characters, at most {MAX} are allowed")),
            _ => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

/// One plain mail address: no display name, no list, exactly one `@`. A policy can therefore trust how it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Address(String);

/// RFC 5321 section 4.5.3.1.3 allows a path of 256 octets, two of which are its angle brackets.
const ADDRESS_CHARACTERS: usize = 254;

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
        let label = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let sound = text.len() <= ADDRESS_CHARACTERS
            && text.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && user.chars().all(local) && host.contains('.') && host.split('.').all(label)
            });
        if sound { Ok(Self(text)) } else { Err("not one plain mail address".to_owned()) }
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_both_bounds() {
        assert!(Text::<3>::try_from("äöü".to_owned()).is_ok());
        assert!(Text::<3>::try_from("äöü!".to_owned()).is_err());
        assert!(Text::<3>::try_from(String::new()).is_err());
    }

    #[test]
    fn an_address_is_one_address() {
        for good in ["lin@fabrikam.example", "a.b+c@mail.example.com"] {
            assert!(Address::try_from(good.to_owned()).is_ok(), "{good}");
        }
        let long = format!("{}@x.example", "a".repeat(ADDRESS_CHARACTERS));
        for bad in [
            "",
            "lin",
            "lin@host",
            "@a.b",
            "a@b@example.com",
            "a@evil.example,b@example.com",
            "Lin <l@a.b>",
            "a@.b",
            "a@b..c",
            &long,
        ] {
            assert!(Address::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
