//! Walking a path through a value.
//!
//! Each part of the value is met at most once and nothing is skipped for want of time: the work is bounded by the size
//! of the value, the recursion by [`MAX_SEGMENTS`](super::MAX_SEGMENTS).

use serde_json::Value;

use super::field_path::{FieldPath, Segment};

/// How a walk came to the value it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The path ends here.
    End,
    /// The path goes on but the value cannot follow: a member of something that is no object, an element of something
    /// that is no array. What the path is about may be *inside*, so who protects it must treat the whole as hit.
    Blocked,
}

/// What becomes of a value that was met.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Stays.
    Keep,
    /// Is replaced.
    Replace(Value),
    /// Leaves its object or array. The outermost value, which is in neither, becomes `null`.
    Remove,
}

impl FieldPath {
    /// Shows every value at the path. Absent members and `null` on the way are nothing to show.
    pub fn visit<'v>(&self, value: &'v Value, mut see: impl FnMut(Place, &'v Value)) {
        visit(value, self.segments(), &mut see);
    }

    /// As [`visit`](Self::visit), and does with each value what `decide` says. Returns how many were not kept.
    pub fn edit(&self, value: &mut Value, mut decide: impl FnMut(Place, &Value) -> Edit) -> u64 {
        let mut changed = 0;
        if edit(value, self.segments(), &mut decide, &mut changed) == Fate::Leaves {
            *value = Value::Null;
        }
        changed
    }
}

fn visit<'v>(value: &'v Value, segments: &[Segment], see: &mut impl FnMut(Place, &'v Value)) {
    let Some((segment, rest)) = segments.split_first() else {
        return see(Place::End, value);
    };
    match (segment, value) {
        (_, Value::Null) => {}
        (Segment::Member(name), Value::Object(members)) => {
            if let Some(member) = members.get(name) {
                visit(member, rest, see);
            }
        }
        (Segment::Each, Value::Array(items)) => items.iter().for_each(|item| visit(item, rest, see)),
        _ => see(Place::Blocked, value),
    }
}

/// Whether a value stays in what holds it.
#[derive(PartialEq, Eq)]
enum Fate {
    Stays,
    Leaves,
}

fn edit(
    value: &mut Value,
    segments: &[Segment],
    decide: &mut impl FnMut(Place, &Value) -> Edit,
    changed: &mut u64,
) -> Fate {
    let Some((segment, rest)) = segments.split_first() else {
        let edit = decide(Place::End, value);
        return settle(value, edit, changed);
    };
    match (segment, &mut *value) {
        (_, Value::Null) => {}
        (Segment::Member(name), Value::Object(members)) => {
            if let Some(member) = members.get_mut(name)
                && edit(member, rest, decide, changed) == Fate::Leaves
            {
                // `shift_remove` keeps the order of the members that stay.
                members.shift_remove(name);
            }
        }
        (Segment::Each, Value::Array(items)) => {
            items.retain_mut(|item| edit(item, rest, decide, changed) == Fate::Stays);
        }
        _ => {
            let edit = decide(Place::Blocked, value);
            return settle(value, edit, changed);
        }
    }
    Fate::Stays
}

fn settle(value: &mut Value, edit: Edit, changed: &mut u64) -> Fate {
    match edit {
        Edit::Keep => Fate::Stays,
        Edit::Replace(new) => {
            *changed = changed.saturating_add(1);
            *value = new;
            Fate::Stays
        }
        Edit::Remove => {
            *changed = changed.saturating_add(1);
            Fate::Leaves
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::arbitrary;
    use proptest::prelude::*;
    use serde_json::json;

    fn met(path: &str, value: &Value) -> Vec<(Place, Value)> {
        let mut all = Vec::new();
        FieldPath::parse(path).unwrap().visit(value, |place, value| all.push((place, value.clone())));
        all
    }

    #[test]
    fn every_element_is_met() {
        let value = json!({"items": [{"email": "a"}, {"name": "x"}, {"email": null}, {"email": ["b"]}]});
        assert_eq!(
            met("items[].email", &value),
            [(Place::End, json!("a")), (Place::End, json!(null)), (Place::End, json!(["b"]))]
        );
        assert_eq!(met("items[].email.x", &json!({"items": null})), []);
        assert_eq!(met("other", &value), []);
    }

    #[test]
    fn another_shape_is_shown_whole() {
        let blocked = |path, value: Value, whole: Value| assert_eq!(met(path, &value), [(Place::Blocked, whole)]);
        blocked("a.b", json!({"a": "text"}), json!("text"));
        blocked("a.b", json!({"a": [{"b": 1}]}), json!([{"b": 1}]));
        blocked("a[].b", json!({"a": {"b": 1}}), json!({"b": 1}));
        blocked("a", json!("text"), json!("text"));
    }

    #[test]
    fn edits_keep_the_order_of_the_rest() {
        let mut value = json!({"z": 1, "rows": [{"k": 2, "b": 1, "a": 3}, "loose", null, {"k": 9}], "c": 1});
        let changed = FieldPath::parse("rows[].k")
            .unwrap()
            .edit(&mut value, |_, value| if value == 9 { Edit::Replace(json!("nine")) } else { Edit::Remove });
        assert_eq!(changed, 3);
        assert_eq!(value.to_string(), r#"{"z":1,"rows":[{"b":1,"a":3},null,{"k":"nine"}],"c":1}"#);
    }

    #[test]
    fn removing_the_outermost_value_leaves_null() {
        let mut value = json!("text");
        assert_eq!(FieldPath::parse("a").unwrap().edit(&mut value, |_, _| Edit::Remove), 1);
        assert_eq!(value, Value::Null);
    }

    proptest! {
        /// Editing meets exactly what visiting shows, in the same order.
        #[test]
        fn edit_meets_what_visit_shows(value in arbitrary::value(), path in r"[a-c](\[\]){0,2}(\.[a-c](\[\])?){0,2}") {
            let path = FieldPath::parse(&path).unwrap();
            let mut shown = Vec::new();
            path.visit(&value, |place, value| shown.push((place, value.clone())));
            let mut edited = value.clone();
            let mut met = Vec::new();
            let changed = path.edit(&mut edited, |place, value| {
                met.push((place, value.clone()));
                Edit::Remove
            });
            prop_assert_eq!(changed, shown.len() as u64);
            prop_assert_eq!(met, shown);
            // What was removed is gone.
            let mut left = 0;
            path.visit(&edited, |_, _| left += 1);
            prop_assert_eq!(left, 0);
        }
    }
}
