//! Texts of a record: borrowed from the bytes they are read from, wherever nothing in them is escaped.

use super::Event;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Reads a text that may be absent. `Cow` alone would be read into a `String` of its own within an `Option`.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    Ok(Option::<Text<'de>>::deserialize(deserializer)?.map(|Text(text)| text))
}

impl Event<'_> {
    /// The event without what it was read from.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        // Every member by name, so that a new one is not forgotten.
        let Self {
            agent,
            approval,
            approver,
            args_hash,
            authn,
            call,
            confidence,
            config_revision,
            confinement,
            decision,
            definition,
            detail,
            dev,
            effect,
            effective_hash,
            faults,
            id,
            labels,
            latency_us,
            mode,
            model_id,
            mortise_version,
            outcome,
            parents,
            payloads,
            permits,
            policy_bundle,
            prompt_template,
            purpose_hash,
            reasons,
            redactions,
            result_bytes,
            result_hash,
            run,
            server,
            session,
            t,
            tenant,
            text,
            tier,
            tool_name,
            kind,
            user,
            v,
            would,
        } = self;
        Event {
            agent: owned(agent),
            approval: owned(approval),
            approver: owned(approver),
            args_hash: owned(args_hash),
            authn,
            call: owned(call),
            confidence,
            config_revision: owned(config_revision),
            confinement: owned(confinement),
            decision,
            definition: owned(definition),
            detail,
            dev,
            effect,
            effective_hash: owned(effective_hash),
            faults: Cow::Owned(faults.into_owned()),
            id: Cow::Owned(id.into_owned()),
            labels,
            latency_us,
            mode,
            model_id: owned(model_id),
            mortise_version: Cow::Owned(mortise_version.into_owned()),
            outcome,
            parents: Cow::Owned(parents.into_owned()),
            payloads: payloads.into_iter().map(super::Payload::into_owned).collect(),
            permits: Cow::Owned(permits.into_owned()),
            policy_bundle: owned(policy_bundle),
            prompt_template: owned(prompt_template),
            purpose_hash: owned(purpose_hash),
            reasons: Cow::Owned(reasons.into_owned()),
            redactions,
            result_bytes,
            result_hash: owned(result_hash),
            run: owned(run),
            server: owned(server),
            session: owned(session),
            t,
            tenant: Cow::Owned(tenant.into_owned()),
            text: owned(text),
            tier,
            tool_name: owned(tool_name),
            kind,
            user: owned(user),
            v,
            would: Cow::Owned(would.into_owned()),
        }
    }
}

fn owned(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text.map(|text| Cow::Owned(text.into_owned()))
}

struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsItIs;
        impl<'de> Visitor<'de> for AsItIs {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text))
            }
        }
        deserializer.deserialize_str(AsItIs).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;

    #[test]
    fn what_is_not_escaped_is_borrowed() {
        let mut event = Event::new(Kind::ToolIntent, "1", 0, "default");
        event.agent = Some("plain".into());
        event.text = Some("a \"quote\"".into());
        let bytes = event.to_bytes().unwrap();
        let read = Event::from_bytes(&bytes).unwrap();
        assert!(matches!((&read.id, &read.agent), (Cow::Borrowed(_), Some(Cow::Borrowed(_)))));
        assert!(matches!(&read.text, Some(Cow::Owned(_))));
        assert_eq!(read, event);
        assert_eq!(read.into_owned(), event);
    }
}
