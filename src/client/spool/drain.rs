//! Sends what is in a spool, in its order, when the cluster can be reached.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::patience::{Failure, Patience};
use super::thread::SpoolPort;
use crate::client::error::ClientError;
use crate::client::letter::Letter;
use crate::client::producer::Own;

/// The pause after a first try that failed,
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// and the longest one: each is twice as long as the one before it.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What sends the letters of a spool; it runs on the tokio runtime that the producer was started on.
pub(super) struct Drain {
    pub(super) own: Arc<Own>,
    pub(super) spool: SpoolPort,
    pub(super) patience: Patience,
    /// Whether the log says that letters wait.
    pub(super) is_told: bool,
}

impl Drain {
    /// Sends until it is told to stop, or whoever could tell it so is gone; a letter that is under way is seen to its end.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut pause = PAUSE_MIN;
        loop {
            let is_something_there = tokio::select! {
                _ = stopping.wait_for(|stops| *stops) => return,
                waiting = self.spool.until(|waiting| waiting.messages > 0) => waiting.is_ok(),
            };
            if !is_something_there {
                return;
            }
            if self.move_one().await {
                pause = PAUSE_MIN;
                continue;
            }
            tokio::select! {
                _ = stopping.wait_for(|stops| *stops) => return,
                () = sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            }
        }
    }

    /// Sends the first letter, or puts it aside; `false` if it is to be tried again.
    async fn move_one(&mut self) -> bool {
        let letter = match self.spool.front().await {
            Ok(Some(letter)) => letter,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read; what is in it waits");
                return false;
            }
        };
        let Err(error) = self.own.deliver(&letter, self.own.sender.clock.elapsed()).await else {
            self.patience.taken(&letter.topic);
            self.done().await;
            return true;
        };
        let failure = match self.own.is_out_of_reach(&error).await {
            true => Failure::Unavailable,
            false => Failure::of(&error),
        };
        let now = self.own.sender.clock.elapsed();
        if self.patience.is_over(failure, &letter.topic, now) {
            return self.put_aside(letter, &error).await;
        }
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(%error, topic = %letter.topic, id = letter.unique_ids, "messages wait in the spool behind this one");
        }
        false
    }

    /// The first letter needs nothing more.
    async fn done(&mut self) {
        self.is_told = false;
        // It is sent, or aside, all the same; after a restart it may be once more.
        if let Err(error) = self.spool.sent().await {
            tracing::warn!(%error, "the spool cannot note how far it is sent");
        }
    }

    async fn put_aside(&mut self, letter: Letter, why: &ClientError) -> bool {
        let (topic, id) = (letter.topic.clone(), letter.unique_ids.clone());
        if let Err(error) = self.spool.put_aside(letter).await {
            tracing::error!(%error, %topic, id, "a message of the spool was refused, and cannot be put aside");
            return false;
        }
        tracing::warn!(%topic, id, error = %why, "a message of the spool was refused, and is put aside");
        self.done().await;
        true
    }
}
