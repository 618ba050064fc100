//! Looks up when a message with a delivery time is due that is to be taken back by its unique key alone.
//!
//! Runs in tasks of the connections. Asks the DispatchActor and the IndexActor, looks at index and log in the pool.

use std::time::Duration;

use actix::Recipient;

use super::dispatch_actor::SettledUpTo;
use super::fault::ask;
use super::index_actor::IndexSnapshotOf;
use super::read_pool::ReadPool;
use crate::broker::timer::{MESSAGES, TIMER_TOPIC};
use crate::protocol::codes::response;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::headers::send::SendHeader;
use crate::protocol::properties::{self, keys};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::StoreTime;
use crate::store::{IndexSnapshot, LogView, StoreError};
use crate::time::SharedClock;

/// When it is looked again whether what was acknowledged before is in the index, which takes milliseconds: at first after so
/// long, then each time after twice as long, since others ask as well,
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// until this would be longer than so.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);
/// A key has as many records as days that its message waits, and is among few others.
const RECORDS_MAX: usize = 64;

/// Finds them.
#[derive(Clone)]
pub struct WaitingMessages {
    /// The IndexActor, unless there is no index.
    pub index: Option<Recipient<IndexSnapshotOf>>,
    /// The DispatchActor.
    pub settled: Recipient<SettledUpTo>,
    /// Reads index and log.
    pub pool: ReadPool,
    /// The log.
    pub log: LogView,
    /// Tells what is delivered already.
    pub clock: SharedClock,
}

impl WaitingMessages {
    /// The send with the time of the message that it takes back among its properties.
    ///
    /// # Errors
    /// No message with that key waits, or nobody can say.
    pub(super) async fn with_time(&self, command: &Command) -> Result<Command, Refusal> {
        let header = SendHeader::parse(&command.ext)?;
        let text = header.properties.map(|text| text.text().into_owned()).unwrap_or_default();
        let key = properties::find(&text, keys::TIMER_DEL_UNIQKEY).unwrap_or_default().to_owned();
        let due_ms = self.due_ms(key).await?.to_string();
        let timed = properties::with(text.as_bytes(), &[(keys::TIMER_DELIVER_MS, &due_ms)]);
        let timed = String::from_utf8_lossy(&timed);
        let mut ext = ExtFields::builder();
        for (name, value) in command.ext.iter() {
            match name {
                "i" | "properties" => ext.push(name, &timed),
                _ => ext.push(name, value),
            };
        }
        Ok(Command { ext: ext.build(), ..command.clone() })
    }

    /// When the message with this key is due.
    async fn due_ms(&self, key: String) -> Result<i64, Refusal> {
        let illegal = |remark: String| Refusal::new(response::MESSAGE_ILLEGAL, remark);
        let Some(index) = &self.index else {
            let missing =
                "there is no index to look TIMER_DEL_UNIQKEY up in: the time, TIMER_DELIVER_MS, is needed as well";
            return Err(illegal(missing.into()));
        };
        self.catch_up().await?;
        let index = ask(index, IndexSnapshotOf).await?;
        let looked_for = key.clone();
        let found = self.pool.ask(move |log| due_ms(log, &index, &looked_for)).await??;
        let now_ms = self.clock.now_ms();
        found
            .filter(|due_ms| *due_ms > now_ms)
            .ok_or_else(|| illegal(format!("TIMER_DEL_UNIQKEY is {key:?}, and no message with that key waits")))
    }

    /// Waits until what was acknowledged before now is in the index.
    async fn catch_up(&self) -> Result<(), Refusal> {
        let end = self.log.visible();
        let mut wait = LOOK_AGAIN;
        while ask(&self.settled, SettledUpTo).await?.up_to < end {
            if wait > LOOK_AGAIN_MAX {
                let behind = "[INDEX_BEHIND]the index is behind the log, so nobody can say whether a message with that key waits";
                return Err(Refusal::new(response::SYSTEM_BUSY, behind));
            }
            actix_rt::time::sleep(wait).await;
            wait *= 2;
        }
        Ok(())
    }
}

/// Hashes may be of other keys: the record tells.
fn due_ms(log: &LogView, index: &IndexSnapshot, key: &str) -> Result<Option<i64>, StoreError> {
    let found = index.lookup(TIMER_TOPIC, key, RECORDS_MAX, StoreTime(0), StoreTime(i64::MAX))?;
    for at in found.records.iter().rev() {
        let Some(message) = log.message(*at)? else { continue };
        let is_it = message.queue_id == MESSAGES && message.property(keys::UNIQ_KEY) == Some(key);
        if let Some(due_ms) = message.property(keys::TIMER_OUT_MS).filter(|_| is_it) {
            return Ok(due_ms.parse().ok());
        }
    }
    Ok(None)
}
