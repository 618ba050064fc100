//! Sends what is in a spool, in its order, when the cluster can be reached.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::error::ClientError;
use super::letter::Letter;
use super::producer::Own;
use super::sender::may_try_again;
use super::spool_thread::SpoolPort;
use crate::protocol::codes::response;

/// The pause after a first try that failed,
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// and the longest one: each is twice as long as the one before it.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What sends the letters of a spool; it runs on the tokio runtime that the producer was started on.
pub(super) struct Drain {
    pub(super) own: Arc<Own>,
    pub(super) spool: SpoolPort,
    pub(super) patience: Duration,
    /// When the first letter was refused first, for a reason that may pass.
    pub(super) refused_since: Option<Duration>,
}

/// What is to be done with a letter that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Nobody was there, or nobody had time: it is tried again for as long as it takes.
    Unavailable,
    /// It was refused for a reason that may pass: it is tried again for some time.
    MayPass,
    /// It will not be taken, however often it is tried.
    ForGood,
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
        let Err(error) = self.own.deliver(&letter).await else {
            self.refused_since = None;
            // It is sent all the same; after a restart it may be sent again.
            if let Err(error) = self.spool.sent().await {
                tracing::warn!(%error, "the spool cannot note that a message is sent");
            }
            return true;
        };
        match self.judge(&error).await {
            Failure::ForGood => self.put_aside(letter, &error).await,
            Failure::MayPass | Failure::Unavailable => {
                tracing::debug!(%error, id = letter.unique_ids, "messages wait in the spool");
                false
            }
        }
    }

    /// What an error is to this letter by now.
    async fn judge(&mut self, error: &ClientError) -> Failure {
        if self.own.is_out_of_reach(error).await {
            self.refused_since = None;
            return Failure::Unavailable;
        }
        let failure = failure(error);
        if failure == Failure::MayPass {
            let now = self.own.sender.clock.elapsed();
            let since = *self.refused_since.get_or_insert(now);
            return if now.saturating_sub(since) < self.patience { failure } else { Failure::ForGood };
        }
        failure
    }

    async fn put_aside(&mut self, letter: Letter, why: &ClientError) -> bool {
        let (topic, id) = (letter.topic.clone(), letter.unique_ids.clone());
        let is_aside = self.spool.refused(letter).await;
        self.refused_since = None;
        match &is_aside {
            Ok(()) => tracing::warn!(%topic, id, error = %why, "a message of the spool was refused, and is put aside"),
            Err(error) => tracing::error!(%error, id, "a message of the spool was refused, and cannot be put aside"),
        }
        is_aside.is_ok()
    }
}

/// What an error is to a letter, if somebody was reached.
fn failure(error: &ClientError) -> Failure {
    match error.refusal() {
        Some(response::SYSTEM_BUSY | response::FLOW_CONTROL) => Failure::Unavailable,
        Some(_) if !may_try_again(error) => Failure::ForGood,
        // Without a refusal there is no route, or an answer that cannot be read: nobody has said that the letter is at fault.
        _ => Failure::MayPass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_busy_is_waited_for_and_what_is_wrong_is_put_aside() {
        let refused = |code| failure(&ClientError::Refused { address: "b:1".into(), code, remark: String::new() });
        assert_eq!(refused(response::SYSTEM_BUSY), Failure::Unavailable);
        assert_eq!(refused(response::FLOW_CONTROL), Failure::Unavailable);
        assert_eq!(refused(response::SERVICE_NOT_AVAILABLE), Failure::MayPass);
        assert_eq!(refused(response::MESSAGE_ILLEGAL), Failure::ForGood);
        let no_route = ClientError::NoRoute { topic: "T".into(), reason: "none".into() };
        assert_eq!(failure(&no_route), Failure::MayPass);
    }
}
