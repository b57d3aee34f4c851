//! Run tokens: `mr_<claims>.<mac>`, minted by Mortise for one run, so that the calls of one run share a session.
//!
//! Claims are JSON in base64url; the code is HMAC-SHA-256 over everything before the dot. A child agent gets a token
//! that names its parents, so that a chain can only grow and its time only shrink.

use crate::project::Agent;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vocab::Secret;
use vocab::id::{AgentId, RunId, UserId};

/// Longest token. A chain of [`MAX_CHAIN`] of the longest names is below 2 KiB.
pub const MAX_TOKEN_BYTES: usize = 4_096;

/// Most agents above one another.
pub const MAX_CHAIN: usize = 8;

const PREFIX: &str = "mr_";

/// What a run token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunToken {
    /// The agent that runs.
    pub agent: AgentId,
    /// The run.
    pub run: RunId,
    /// The agents that started it, nearest first.
    pub parents: Vec<AgentId>,
    /// The person at the end of the chain.
    pub user: Option<UserId>,
    /// When it ends, microseconds since the epoch. At that moment it is no longer good.
    pub exp: i64,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RunTokenError {
    /// Not a token of this gateway. One answer for every way to be wrong.
    #[error("not a run token of this gateway")]
    Invalid,
    /// It was one.
    #[error("the run token has expired")]
    Expired,
}

/// Why a child gets no token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttenuateError {
    /// The child's file does not list the agent.
    #[error("`{parent}` is not among the `parents` of `{child}`")]
    NotAParent {
        /// Who wants to start it.
        parent: AgentId,
        /// What is to be started.
        child: AgentId,
    },
    /// More than [`MAX_CHAIN`] agents above one another.
    #[error("more than {MAX_CHAIN} agents above one another")]
    TooDeep,
}

/// The token's text.
#[must_use]
pub fn mint(key: &Secret<[u8; 32]>, token: &RunToken) -> Secret<String> {
    let parents: Vec<&str> = token.parents.iter().map(AgentId::as_str).collect();
    let claims = serde_json::json!({
        "agent": token.agent, "run": token.run, "parents": parents, "user": token.user, "exp": token.exp,
    });
    let mut text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let code = hmac::sign(&mac_key(key), text.as_bytes());
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(code));
    Secret::new(text)
}

/// Reads a token.
///
/// # Errors
/// When it was not minted under this key, or has expired.
pub fn verify(key: &Secret<[u8; 32]>, text: &str, now_us: i64) -> Result<RunToken, RunTokenError> {
    if text.len() > MAX_TOKEN_BYTES {
        return Err(RunTokenError::Invalid);
    }
    let (signed, code) = text.rsplit_once('.').ok_or(RunTokenError::Invalid)?;
    let code = URL_SAFE_NO_PAD.decode(code).map_err(|_| RunTokenError::Invalid)?;
    hmac::verify(&mac_key(key), signed.as_bytes(), &code).map_err(|_| RunTokenError::Invalid)?;
    let claims = signed.strip_prefix(PREFIX).ok_or(RunTokenError::Invalid)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| RunTokenError::Invalid)?;
    let token: RunToken = serde_json::from_slice(&claims).map_err(|_| RunTokenError::Invalid)?;
    if now_us >= token.exp { Err(RunTokenError::Expired) } else { Ok(token) }
}

/// What a child's token says: the parent is added to the chain, the person stays, the time is not longer.
///
/// # Errors
/// When the child does not list the agent among its parents, or the chain gets too long.
pub fn attenuate(parent: &RunToken, child: &Agent, run: RunId, exp: i64) -> Result<RunToken, AttenuateError> {
    if !child.parents.contains(&parent.agent) {
        return Err(AttenuateError::NotAParent { parent: parent.agent.clone(), child: child.id.clone() });
    }
    let parents: Vec<AgentId> = std::iter::once(&parent.agent).chain(&parent.parents).cloned().collect();
    if parents.len() > MAX_CHAIN {
        return Err(AttenuateError::TooDeep);
    }
    Ok(RunToken { agent: child.id.clone(), run, parents, user: parent.user.clone(), exp: exp.min(parent.exp) })
}

fn mac_key(key: &Secret<[u8; 32]>) -> hmac::Key {
    hmac::Key::new(HMAC_SHA256, key.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::AGENT;
    use proptest::prelude::*;

    fn key() -> Secret<[u8; 32]> {
        Secret::new([7; 32])
    }

    fn token() -> RunToken {
        let user = Some(UserId::new("ada"));
        RunToken { agent: AgentId::new("boss"), run: RunId::new("r1"), parents: Vec::new(), user, exp: 1_000 }
    }

    fn child(parents: &str) -> Agent {
        let text = format!("{AGENT}parents = [{parents}]");
        crate::project::agent::parse("mortise/agents/bot.toml", &text).unwrap().0
    }

    #[test]
    fn minted_tokens_verify_until_they_expire() {
        let text = mint(&key(), &token());
        assert!(text.expose().starts_with("mr_"));
        assert_eq!(verify(&key(), text.expose(), 999), Ok(token()));
        assert_eq!(verify(&key(), text.expose(), 1_000), Err(RunTokenError::Expired));
        assert_eq!(verify(&Secret::new([8; 32]), text.expose(), 0), Err(RunTokenError::Invalid));
    }

    #[test]
    fn children_are_attenuated() {
        let made = attenuate(&token(), &child("\"boss\""), RunId::new("r2"), 5_000).unwrap();
        assert_eq!((made.agent.as_str(), made.exp, made.user), ("bot", 1_000, token().user));
        assert_eq!(made.parents, [AgentId::new("boss")]);
        assert_eq!(attenuate(&token(), &child("\"boss\""), RunId::new("r2"), 10).unwrap().exp, 10);
        let refused = attenuate(&token(), &child("\"eve\""), RunId::new("r2"), 10);
        assert!(matches!(refused, Err(AttenuateError::NotAParent { .. })));
    }

    #[test]
    fn the_chain_is_bounded() {
        let above = |n: usize| RunToken { parents: vec![AgentId::new("x"); n], ..token() };
        let run = || RunId::new("r2");
        assert!(attenuate(&above(MAX_CHAIN - 1), &child("\"boss\""), run(), 1).is_ok());
        assert_eq!(attenuate(&above(MAX_CHAIN), &child("\"boss\""), run(), 1), Err(AttenuateError::TooDeep));
        let long = |c: &str| c.repeat(crate::names::MAX_NAME_BYTES);
        let parents = vec![AgentId::new(long("x")); MAX_CHAIN];
        let longest = RunToken { agent: AgentId::new(long("y")), parents, ..token() };
        assert!(mint(&key(), &longest).expose().len() <= MAX_TOKEN_BYTES);
    }

    #[test]
    fn length_is_bounded() {
        let text = |n: usize| RunToken { user: Some(UserId::new("u".repeat(n))), ..token() };
        let edge = (0..).find(|&n| mint(&key(), &text(n)).expose().len() > MAX_TOKEN_BYTES).unwrap();
        assert!(verify(&key(), mint(&key(), &text(edge - 1)).expose(), 0).is_ok());
        assert!(verify(&key(), mint(&key(), &text(edge)).expose(), 0).is_err());
    }

    proptest! {
        #[test]
        fn no_changed_byte_verifies(at in 0_usize..200, with in proptest::char::range('!', '~')) {
            let text = mint(&key(), &token());
            let mut changed: Vec<char> = text.expose().chars().collect();
            let at = at % changed.len();
            prop_assume!(changed[at] != with);
            changed[at] = with;
            let changed: String = changed.into_iter().collect();
            prop_assert_eq!(verify(&key(), &changed, 0), Err(RunTokenError::Invalid));
        }

        #[test]
        fn never_panics(text in ".{0,100}") {
            prop_assert!(verify(&key(), &text, 0).is_err());
        }
    }
}
