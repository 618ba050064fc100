//! What the state vouches for while a start changes some of it.

use crate::protocol::units::PhysicalOffset;
use crate::store::error::StoreError;
use crate::store::state::{State, StateFile};

/// The state that was found, if it counts, and the file to say less in.
#[derive(Debug)]
pub(super) struct Vouched {
    file: StateFile,
    pub(super) state: Option<State>,
    /// Queues and index are vouched for before here.
    up_to: PhysicalOffset,
}

impl Vouched {
    pub(super) fn new(file: StateFile, state: Option<State>) -> Self {
        Self { file, state, up_to: state.map_or(PhysicalOffset(0), |state| state.dispatched()) }
    }

    /// Says that queues and index are about to be changed from a place on. Should this start be cut short, the next one must
    /// not take for whole what may have reached the disk in part.
    ///
    /// # Errors
    /// What the operating system says; nothing must be changed then.
    pub(super) fn change_from(&mut self, place: PhysicalOffset) -> Result<(), StoreError> {
        if let Some(state) = self.state.filter(|_| place < self.up_to) {
            self.file.save(state.changed_from(place))?;
            self.up_to = place;
        }
        Ok(())
    }

    pub(super) fn into_file(self) -> StateFile {
        self.file
    }
}
