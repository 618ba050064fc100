//! What becomes of a letter of the spool that was not taken: it is tried again, or it is put aside so that the others have their
//! turn.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::client::error::ClientError;
use crate::client::sender::may_try_again;
use crate::protocol::codes::response;
use crate::protocol::names::Topic;

/// Why a letter was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody was there, or nobody had time: it is tried again for as long as it takes.
    Unavailable,
    /// It was refused for a reason that may pass: it is tried again for some time.
    MayPass,
    /// It will not be taken, however often it is tried.
    ForGood,
}

impl Failure {
    /// What an error is to a letter, if somebody was reached.
    pub(super) fn of(error: &ClientError) -> Self {
        match error.refusal() {
            Some(response::SYSTEM_BUSY | response::FLOW_CONTROL) => Self::Unavailable,
            Some(_) if !may_try_again(error) => Self::ForGood,
            // Without a refusal there is no route, or an answer that cannot be read: nobody has said that the letter is at fault.
            _ => Self::MayPass,
        }
    }
}

/// How long the first letter has been refused, and for which topics that was too long already.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    since: Option<Duration>,
    /// What else goes to these has one try, until one of them is taken: otherwise a topic that is gone would hold up all others for
    /// the limit with each of its letters.
    lost: BTreeSet<Topic>,
}

impl Patience {
    pub(super) fn of(limit: Duration) -> Self {
        Self { limit, since: None, lost: BTreeSet::new() }
    }

    /// The first letter was taken.
    pub(super) fn taken(&mut self, topic: &Topic) {
        self.since = None;
        self.lost.remove(topic);
    }

    /// Whether the first letter, which was not taken, is to be put aside now; the next one is the first then.
    pub(super) fn is_over(&mut self, failure: Failure, topic: &Topic, now: Duration) -> bool {
        let is_over = match failure {
            Failure::Unavailable => false,
            Failure::MayPass => {
                let since = *self.since.get_or_insert(now);
                self.lost.contains(topic) || now.saturating_sub(since) >= self.limit
            }
            Failure::ForGood => true,
        };
        if is_over && failure == Failure::MayPass {
            self.lost.insert(topic.clone());
        }
        if is_over || failure == Failure::Unavailable {
            self.since = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::Failure::{ForGood, MayPass, Unavailable};
    use super::*;

    #[test]
    fn what_is_busy_is_waited_for_and_what_is_wrong_is_put_aside() {
        let refused = |code| Failure::of(&ClientError::Refused { address: "b:1".into(), code, remark: String::new() });
        assert_eq!(refused(response::SYSTEM_BUSY), Unavailable);
        assert_eq!(refused(response::FLOW_CONTROL), Unavailable);
        assert_eq!(refused(response::SERVICE_NOT_AVAILABLE), MayPass);
        assert_eq!(refused(response::MESSAGE_ILLEGAL), ForGood);
        let no_route = ClientError::NoRoute { topic: "T".into(), reason: "none".into() };
        assert_eq!(Failure::of(&no_route), MayPass);
    }

    #[test]
    fn patience_is_had_once_for_each_topic() {
        let topic = |name| Topic::parse(name).unwrap();
        let (gone, other) = (topic("Gone"), topic("Other"));
        let mut patience = Patience::of(Duration::from_secs(300));
        let mut is_over = |failure, topic, secs| patience.is_over(failure, topic, Duration::from_secs(secs));
        assert!(!is_over(MayPass, &gone, 0));
        assert!(!is_over(MayPass, &gone, 299));
        assert!(is_over(MayPass, &gone, 300));
        assert!(is_over(MayPass, &gone, 301), "the next one to the same topic has one try");
        assert!(!is_over(MayPass, &other, 302), "another topic has its own time");
        assert!(!is_over(Unavailable, &other, 400));
        assert!(!is_over(MayPass, &other, 700), "its time begins again when somebody is there again");
        assert!(is_over(MayPass, &other, 1_000));
        assert!(is_over(ForGood, &topic("Third"), 1_000));
        patience.taken(&gone);
        assert!(!patience.is_over(MayPass, &gone, Duration::from_secs(1_001)), "it is there again");
    }
}
