//! Values for property tests.

use proptest::prelude::*;
use serde_json::{Map, Number, Value};

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-1e22..1e22).prop_map(Value::from),
        (-1000_i32..1000).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        ".{0,8}".prop_map(Value::from),
        "[a\"\\\\\u{0}\n\u{7f}é€😀\u{fb33}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec(("[a-c\n\"é😀\u{fb33}]{0,2}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value with the members of every object the other way round.
pub(crate) fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Object(members) => Value::Object(
            members.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect::<Map<_, _>>(),
        ),
        scalar => scalar.clone(),
    }
}

/// The same value as a reader of its canonical text sees it: `1.0` is 1, `-0.0` is 0.
pub(crate) fn with_integral_doubles_as_integers(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_integral_doubles_as_integers).collect(),
        Value::Object(members) => Value::Object(
            members.iter().map(|(key, value)| (key.clone(), with_integral_doubles_as_integers(value))).collect(),
        ),
        Value::Number(number) if number.is_f64() => {
            let double = number.as_f64().unwrap();
            let integral = double.fract() == 0.0 && double.abs() < 9_007_199_254_740_992.0;
            if integral { Value::from(double as i64) } else { Value::Number(Number::from_f64(double).unwrap()) }
        }
        scalar => scalar.clone(),
    }
}
