//! Taking a queue away, and what of it is counted: see [`census`](crate::store::census).

use std::io::ErrorKind;
use std::sync::Arc;

use super::ConsumeQueue;
use crate::store::census::Census;
use crate::store::error::StoreError;

impl ConsumeQueue {
    /// Removes all files and the directory: the topic was deleted.
    ///
    /// # Errors
    /// What the operating system says; what was removed before stays removed.
    pub fn destroy(&mut self) -> Result<(), StoreError> {
        self.census.take(self.weight_in_all());
        self.remove_files()?;
        self.remove_directory()?;
        self.extension.as_mut().map_or(Ok(()), |extension| extension.destroy())
    }

    /// A queue of the same name that holds nothing: what an owner is left with who gives this one away.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let (disk, options) = (Arc::clone(&self.disk), Arc::clone(&self.options));
        Self::new(disk, options, self.topic.clone(), self.queue_id).counted_by(&self.census)
    }

    pub(super) fn remove_files(&mut self) -> Result<(), StoreError> {
        while let Some(file) = self.files.pop() {
            file.remove(&self.disk, &self.directory, &self.sync)?;
        }
        (self.write, self.min, self.max_physical) = (0, 0, 0);
        Ok(())
    }

    fn remove_directory(&self) -> Result<(), StoreError> {
        match self.disk.remove_dir(&self.directory) {
            // A queue without entries never had one.
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", &self.directory)(error)),
            _ => Ok(()),
        }
    }

    /// Is counted there.
    #[must_use]
    pub(in crate::store) fn counted_by(self, census: &Arc<Census>) -> Self {
        Self { census: Arc::clone(census), ..self }
    }

    /// Whether it lacks entries that are to be made again from the log.
    #[must_use]
    pub(in crate::store) fn has_lost_entries(&self) -> bool {
        self.lost_entries
    }

    /// What each of its entries weighs in the [`census`](crate::store::census).
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// What all that its files hold, and what stood before them, weighs together.
    #[must_use]
    pub(in crate::store) fn weight_in_all(&self) -> u64 {
        if self.has_files() { self.weight.wrapping_mul(self.max_offset().0) } else { 0 }
    }
}
