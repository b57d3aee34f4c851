//! Who payloads of a call can be erased for.

use store::payload::Owner;
use vocab::Call;

/// Whose payloads those of a call are that nobody is known to stand behind.
const NOBODY: &str = "none";

/// The tenant, and the person at the end of the principal chain.
pub(crate) fn owner(call: &Call) -> Owner {
    let subject = call.principal.user.as_ref().map_or(NOBODY, |user| user.as_str());
    Owner { tenant: call.tenant.as_str().to_owned(), subject: subject.to_owned() }
}
