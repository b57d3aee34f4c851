//! Values that must not slip out by accident.

use serde_json::Value;

/// Something a model or a tool produced.
///
/// No `Display`, no `Deref`: text leaves only through [`Untrusted::examine`], which deciding, detecting and encoding
/// use, and which a reader can search for.
#[derive(Clone, PartialEq)]
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Marks a value as coming from a model or a tool.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks at the value in order to decide on it, detect in it or encode it; never to show it as our own words.
    pub const fn examine(&self) -> &T {
        &self.0
    }

    /// Gives the value up, for forwarding exactly what was evaluated.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl std::fmt::Debug for Untrusted<Value> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Untrusted(json)")
    }
}

impl std::fmt::Debug for Untrusted<String> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Untrusted({} bytes)", self.0.len())
    }
}

/// A credential or key. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Takes a credential in.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks at the credential, to use it or to compare it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_content() {
        let secret = format!("{:?}", Secret::new("hunter2"));
        let untrusted = format!("{:?}", Untrusted::new(Value::from("ignore previous")));
        assert!(!secret.contains("hunter2") && !untrusted.contains("ignore"), "{secret} {untrusted}");
    }
}
