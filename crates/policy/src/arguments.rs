//! A call's arguments by the shape that policies see: whether they fit it, and those that are looked at as values.
//!
//! The two are apart: every argument is held against its shape, and only what is looked at is built.

use crate::parts::Members;
use crate::schema::{RecordShape, Shape};
use cedar_policy::RestrictedExpression;
use serde_json::{Map, Number, Value};

/// How a value fits its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// As it is.
    Whole,
    /// With something left out, or held at the end of a range.
    Lossy,
    /// Not at all.
    No,
}

/// How the arguments of a call, or an object in them, fit.
pub(crate) fn fit_record(shape: &RecordShape, map: &Map<String, Value>) -> Fit {
    let mut whole = Fit::Whole;
    let mut missing = shape.fields.values().filter(|field| field.required).count();
    for (name, value) in map {
        let fit = match shape.fields.get(name.as_str()) {
            Some(field) if field.required => {
                missing = missing.saturating_sub(1);
                fit(&field.shape, value)
            }
            Some(_) if value.is_null() => Fit::Whole,
            Some(field) => fit(&field.shape, value).min(Fit::Lossy),
            None if shape.hidden.contains(name.as_str()) => Fit::Whole,
            // A member that the schema does not name is one that no policy can speak about.
            None => Fit::Lossy,
        };
        whole = whole.max(fit);
    }
    if missing == 0 { whole } else { Fit::No }
}

/// The fields that are looked at and present, as values.
pub(crate) fn present_fields<'a>(
    shape: &'a RecordShape,
    map: &'a Map<String, Value>,
    members: &'a Members,
) -> impl Iterator<Item = (String, RestrictedExpression)> + 'a {
    let fields = shape.fields.iter().filter(|(name, _)| members.has(name));
    fields.filter_map(|(name, field)| {
        let present = present(name, field.required, map)?;
        Some(((**name).to_owned(), value(&field.shape, present)?))
    })
}

fn fit(shape: &Shape, value: &Value) -> Fit {
    match (shape, value) {
        (Shape::Bool, Value::Bool(_)) | (Shape::Text, Value::String(_)) => Fit::Whole,
        (Shape::Long, Value::Number(number)) => long(number).1,
        (Shape::Set(inner), Value::Array(items)) => {
            items.iter().map(|item| fit(inner, item).min(Fit::Lossy)).max().unwrap_or(Fit::Whole)
        }
        (Shape::Record(shape), Value::Object(map)) => fit_record(shape, map),
        _ => Fit::No,
    }
}

/// A null is an absent argument, unless it must be there.
pub(crate) fn present<'a>(name: &str, required: bool, map: &'a Map<String, Value>) -> Option<&'a Value> {
    argument(name, map).filter(|value| required || !value.is_null())
}

/// A member of an object. A few names are compared in less time than one is hashed.
pub(crate) fn argument<'a>(name: &str, map: &'a Map<String, Value>) -> Option<&'a Value> {
    const FEW: usize = 16;
    if map.len() > FEW {
        return map.get(name);
    }
    map.iter().find(|(this, _)| *this == name).map(|(_, value)| value)
}

/// `None`: the value is not of this shape at all.
fn value(shape: &Shape, value: &Value) -> Option<RestrictedExpression> {
    Some(match (shape, value) {
        (Shape::Bool, Value::Bool(yes)) => RestrictedExpression::new_bool(*yes),
        (Shape::Text, Value::String(text)) => RestrictedExpression::new_string(text.clone()),
        (Shape::Long, Value::Number(number)) => RestrictedExpression::new_long(long(number).0),
        (Shape::Set(inner), Value::Array(items)) => {
            RestrictedExpression::new_set(items.iter().filter_map(|item| self::value(inner, item)))
        }
        (Shape::Record(shape), Value::Object(map)) if fit_record(shape, map) != Fit::No => {
            RestrictedExpression::new_record(present_fields(shape, map, &Members::All)).ok()?
        }
        _ => return None,
    })
}

/// A whole number beyond 64 bits is held at the nearest end, so that comparisons point the right way.
pub(crate) fn long(number: &Number) -> (i64, Fit) {
    /// 2^53: up to here every whole `f64` is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(whole) = number.as_i64() {
        return (whole, Fit::Whole);
    }
    let float = number.as_f64().unwrap_or(f64::INFINITY);
    let fit = if float.fract() == 0.0 && float.abs() <= EXACT { Fit::Whole } else { Fit::Lossy };
    #[expect(clippy::cast_possible_truncation, reason = "`as` holds floats at the ends of the range")]
    (float as i64, fit)
}
