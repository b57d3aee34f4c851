//! Arithmetic is refused: a sum beyond 64 bits fails when it is evaluated, and no validator can tell beforehand.

use super::parse::Parsed;
use serde_json::Value;
use vocab::Diagnostic;

/// Reports `+`, `-` and `*` on numbers.
pub(crate) fn check_arithmetic(parsed: &Parsed, diagnostics: &mut Vec<Diagnostic>) {
    let Some(operator) = parsed.json.get("conditions").and_then(find) else {
        return;
    };
    let start = parsed.span.0;
    let span = operator_at(parsed.snippet(), operator).map_or(parsed.span, |at| (start + at, start + at + 1));
    diagnostics.push(
        Diagnostic::error("policy/arithmetic", &*parsed.file, format!("`{operator}` on numbers"))
            .at(&parsed.source, span)
            .with_help("compare with a number that is already computed; sums can overflow, and a rule that fails to evaluate is no rule"),
    );
}

/// The first arithmetic operator in an expression of Cedar's JSON.
fn find(expression: &Value) -> Option<char> {
    match expression {
        Value::Array(items) => items.iter().find_map(find),
        Value::Object(map) => map.iter().find_map(|(key, value)| match key.as_str() {
            // Keys of a record literal, and literals, are data.
            "Record" => value.as_object().and_then(|fields| fields.values().find_map(find)),
            "Value" => None,
            "+" => Some('+'),
            "*" => Some('*'),
            "-" => Some('-'),
            "neg" if value.get("arg").is_none_or(|argument| argument.get("Value").is_none()) => Some('-'),
            _ => find(value),
        }),
        _ => None,
    }
}

/// Where an operator stands in a policy's text, outside strings and comments.
fn operator_at(text: &str, operator: char) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    let (mut in_text, mut last_number) = (false, None);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if in_text => drop(chars.next()),
            '"' => in_text = !in_text,
            '/' if !in_text && chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            // `-1` is a literal: prefer an operator that no digit follows, else take the last one.
            c if c == operator && !in_text => {
                if c != '-' || !chars.peek().is_some_and(|(_, next)| next.is_ascii_digit()) {
                    return Some(at);
                }
                last_number = Some(at);
            }
            _ => {}
        }
    }
    last_number
}
