//! What a broker does beside its messages: old segments go, queues and index follow, topics are deleted, and offsets are written
//! down.

use std::path::PathBuf;

use fastrand::Rng;
use ferromq::store::{DeletedTopics, StoreError, StoreOptions, config_files, retention};

use crate::broker::SimBroker;
use crate::disk::SimDisk;
use crate::model::Model;

/// Where offsets of groups lie; here it is a number that only grows.
fn offsets_file(options: &StoreOptions) -> PathBuf {
    options.config_dir().join("consumerOffset.json")
}

/// What a start reads of the offsets.
pub(crate) fn offsets_in(disk: &SimDisk, options: &StoreOptions) -> u64 {
    let loaded = config_files::load(&*disk.shared(), &offsets_file(options), str::parse::<u64>).unwrap();
    loaded.value.unwrap_or_default()
}

impl SimBroker {
    /// One of them, if the disk lets it; a broker goes on without.
    pub(crate) fn keep_house(&mut self, model: &mut Model, rng: &mut Rng) -> Result<(), StoreError> {
        let done = match rng.u8(..7) {
            0 | 1 => self.save_offsets(model),
            2 | 3 if self.plan.retention => self.remove_oldest(model),
            4 if self.plan.deletion => self.delete(model, rng),
            _ => self.clean(),
        };
        if self.disk.is_off() { done } else { Ok(()) }
    }

    fn save_offsets(&self, model: &mut Model) -> Result<(), StoreError> {
        model.offsets.end += 1;
        config_files::save(&*self.disk.shared(), &offsets_file(&self.plan.options), &model.offsets.end.to_string())?;
        model.offsets.start = model.offsets.end;
        Ok(())
    }

    /// The oldest segment goes, once queues and index are on the disk for all that is in it.
    fn remove_oldest(&mut self, model: &mut Model) -> Result<(), StoreError> {
        let view = self.log.view();
        let Some(oldest) = retention::ages(view.segments())?.into_iter().next() else { return Ok(()) };
        if oldest.end > self.flusher.queues_synced() {
            return Ok(());
        }
        model.min.end = model.min.end.max(oldest.end);
        retention::remove_oldest(&*self.disk.shared(), view.segments())?;
        model.min.start = model.min.start.max(oldest.end);
        Ok(())
    }

    /// A topic is deleted and made again; nothing of it is sent meanwhile, or until that is done.
    fn delete(&mut self, model: &mut Model, rng: &mut Rng) -> Result<(), StoreError> {
        let topic = self.topic(rng);
        let (end, log_min) = (self.log.view().written(), self.log.view().min());
        let mut deleted = self.deleted.clone();
        deleted.forget_before(log_min);
        deleted.note(topic.clone(), end);
        self.closed.insert(topic.clone());
        let path = DeletedTopics::path(&self.plan.options);
        config_files::save(&*self.disk.shared(), &path, &deleted.to_json())?;
        model.deleted.push((topic.clone(), end));
        self.deleted = deleted;
        self.entries.retain(|entry| entry.topic != topic);
        self.queues.detach_topic(&topic).destroy()?;
        self.log.offsets_mut().forget(&topic);
        self.closed.remove(&topic);
        Ok(())
    }

    /// Queues and index follow the log, now or later.
    fn clean(&mut self) -> Result<(), StoreError> {
        let log_min = self.log.view().min();
        for queue in self.queues.idle_mut() {
            queue.clean(log_min)?;
        }
        self.index.as_mut().map_or(Ok(0), |index| index.clean(log_min)).map(|_| ())
    }
}
