//! The configurations that decided before the present one.

use enforce::Snapshot;
use std::rc::Rc;
use vocab::event::Event;

/// Finds the configuration with a revision, compiled; `None` where it is not kept, or does not compile any more.
pub type Configurations<'a> = &'a dyn Fn(&str) -> Option<Snapshot>;

/// Configurations that are held, compiled. A log goes from one to the next, and seldom back.
const MAX_HELD: usize = 8;

/// Those that were needed last, the newest at the end: also which were looked for in vain.
pub(super) struct Earlier<'a> {
    find: Configurations<'a>,
    held: Vec<(String, Option<Rc<Snapshot>>)>,
}

impl<'a> Earlier<'a> {
    pub(super) const fn new(find: Configurations<'a>) -> Self {
        Self { find, held: Vec::new() }
    }

    /// The configuration under which an event was decided.
    ///
    /// # Errors
    /// It is not kept, or decides otherwise in this version.
    pub(super) fn of(&mut self, event: &Event<'_>) -> Result<Rc<Snapshot>, String> {
        let bundle = event.policy_bundle.as_deref().unwrap_or_default();
        let revision = event.config_revision.as_deref().unwrap_or_default();
        let another = format!("decided under another bundle, `{}`", short(bundle));
        match self.get(revision) {
            None => Err(format!("{another}, whose files are not kept")),
            Some(found) if found.bundle.digest().as_str() == bundle => Ok(found),
            Some(_) => Err(format!("{another}, which this version does not make of its files")),
        }
    }

    fn get(&mut self, revision: &str) -> Option<Rc<Snapshot>> {
        let held = match self.held.iter().position(|(held, _)| held == revision) {
            Some(place) => self.held.remove(place),
            None => {
                if self.held.len() >= MAX_HELD {
                    self.held.remove(0);
                }
                (revision.to_owned(), (self.find)(revision).map(Rc::new))
            }
        };
        let found = held.1.clone();
        self.held.push(held);
        found
    }
}

/// Enough of a digest to tell it from others.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
