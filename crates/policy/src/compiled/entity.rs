//! What an entity is in and what is known of it: asked of the store that Cedar would ask.

use super::Scene;
use super::evaluate::Stop;
use super::value::{EntityRef, Value};
use cedar_policy::EntityUid;
use cedar_policy_core::ast::{Entity, EntityUID, Literal, PartialValue, ValueKind};
use cedar_policy_core::entities::Dereference;
use std::borrow::Cow;

impl<'a> EntityRef<'a> {
    /// Who acts, does or is acted on.
    pub(super) fn of(kind: &'static str, uid: &'a EntityUid) -> Self {
        Self { kind, id: uid.id().unescaped(), uid: Some(uid.as_ref()) }
    }

    /// An entity that stands in the store; `None` when it has a type with a namespace, which nothing there has.
    fn stored(uid: &'a EntityUID) -> Option<Self> {
        let name = uid.entity_type().name();
        name.is_unqualified().then(|| Self {
            kind: name.basename_as_ref().as_ref(),
            id: uid.eid().as_ref(),
            uid: Some(uid),
        })
    }

    /// An attribute; fails without it, and for an entity that is not in the store.
    pub(super) fn attribute(&self, name: &str, scene: &Scene<'a>) -> Result<Value<'a>, Stop> {
        self.entity(scene)?.and_then(|entity| entity.get(name)).map_or(Err(Stop::Failed), value)
    }

    /// Whether it has an attribute: one that is not in the store has none.
    pub(super) fn has(&self, name: &str, scene: &Scene<'a>) -> Result<bool, Stop> {
        Ok(self.entity(scene)?.is_some_and(|entity| entity.get(name).is_some()))
    }

    /// Whether it is one of these, or in one of these.
    pub(super) fn is_in(&self, others: &[Self], scene: &Scene<'a>) -> Result<bool, Stop> {
        if others.iter().any(|other| self == other) {
            return Ok(true);
        }
        let Some(entity) = self.entity(scene)? else {
            return Ok(false);
        };
        for other in others {
            if entity.is_descendant_of(&*other.uid(scene)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn entity(&self, scene: &Scene<'a>) -> Result<Option<&'a Entity>, Stop> {
        if !self.uid.is_some_and(|uid| std::ptr::eq(uid, scene.principal.as_ref())) {
            return self.look_up(scene);
        }
        if let Some(found) = scene.found.get() {
            return Ok(*found);
        }
        let found = self.look_up(scene)?;
        Ok(*scene.found.get_or_init(|| found))
    }

    fn look_up(&self, scene: &Scene<'a>) -> Result<Option<&'a Entity>, Stop> {
        let entities: &'a cedar_policy_core::entities::Entities = scene.entities.as_ref();
        match entities.entity(&*self.uid(scene)?) {
            Dereference::Data(entity) => Ok(Some(entity)),
            Dereference::NoSuchEntity => Ok(None),
            Dereference::Residual(_) => Err(Stop::Beyond),
        }
    }

    fn uid(&self, scene: &Scene<'a>) -> Result<Cow<'a, EntityUID>, Stop> {
        if let Some(uid) = self.uid {
            return Ok(Cow::Borrowed(uid));
        }
        let uid = scene.names.uid(self.kind, self.id).ok_or(Stop::Beyond)?;
        Ok(Cow::Owned(uid.as_ref().clone()))
    }
}

/// An attribute's value; what no entity of ours has is left to Cedar.
fn value(stored: &PartialValue) -> Result<Value<'_>, Stop> {
    let PartialValue::Value(value) = stored else {
        return Err(Stop::Beyond);
    };
    let ValueKind::Lit(literal) = value.value_kind() else {
        return Err(Stop::Beyond);
    };
    Ok(match literal {
        Literal::Bool(yes) => Value::Bool(*yes),
        Literal::Long(number) => Value::Long(*number),
        Literal::String(text) => Value::Text(text),
        Literal::EntityUID(uid) => Value::Entity(EntityRef::stored(uid).ok_or(Stop::Beyond)?),
    })
}
