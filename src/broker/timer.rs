//! Messages with a delivery time of their own, by the property names of RocketMQ 5: what a send asks for.
//!
//! They wait in [`TIMER_TOPIC`], messages in one queue and cancellations in another, and [`wheel`] tells which is next.
//!
//! What is deliberately absent: files, reading and storing; a TimerActor does that.

pub mod progress;
pub mod wheel;

use std::sync::LazyLock;

use crate::protocol::names::Topic;
use crate::protocol::properties::keys;
use crate::protocol::units::QueueId;
pub use crate::store::dispatch::TIMER_TOPIC;

/// The queue of messages.
pub const MESSAGES: QueueId = QueueId(0);
/// The queue of cancellations.
pub const CANCELLATIONS: QueueId = QueueId(1);

static TIMER: LazyLock<Topic> =
    LazyLock::new(|| Topic::parse(TIMER_TOPIC).expect("the broker's own topics have legal names"));

/// [`TIMER_TOPIC`] as a name.
#[must_use]
pub fn timer_topic() -> &'static Topic {
    &TIMER
}

/// What the configuration says about delivery times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerRules {
    /// `timerMaxDelaySec`, in milliseconds: what lies further ahead is refused.
    pub ahead_ms_max: i64,
}

/// What the properties of a send say about its delivery time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerWish {
    at: Option<At>,
    cancels: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Time(i64),
    After(i64),
    /// A value that is no number, or no time.
    Unreadable,
}

/// What becomes of a send with a delivery time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// It is delivered at once: it has no time, or one that has passed.
    Now,
    /// It is delivered then, in milliseconds since the epoch.
    At(i64),
    /// It takes a message back that is delivered then.
    Cancels(i64),
    /// It takes a message back, whose time has to be looked up.
    CancelsByKey,
}

/// Why a delivery time is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimerError {
    /// The value is no number.
    #[error(
        "the delivery time is no number: TIMER_DELIVER_MS, TIMER_DELAY_MS and TIMER_DELAY_SEC take one that is not negative"
    )]
    Unreadable,
    /// It lies too far ahead.
    #[error("the delivery time lies {ahead_ms} ms ahead, this broker takes up to {max_ms} ms (timerMaxDelaySec)")]
    TooFar {
        /// How far ahead it lies.
        ahead_ms: i64,
        /// How far it may.
        max_ms: i64,
    },
}

impl TimerWish {
    /// Whether a name may be one of those that mean something here.
    #[inline]
    #[must_use]
    pub fn may_know(name: &[u8]) -> bool {
        name.starts_with(b"TIMER_D")
    }

    /// Takes in one property; others than those of delivery times mean nothing here.
    pub fn note(&mut self, name: &[u8], value: &[u8]) {
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok()).filter(|it| *it >= 0);
        let at = |make: fn(i64) -> At, unit: i64| {
            let milliseconds = number().and_then(|number| number.checked_mul(unit));
            Some(milliseconds.map_or(At::Unreadable, make))
        };
        match std::str::from_utf8(name).unwrap_or_default() {
            keys::TIMER_DELIVER_MS => self.at = at(At::Time, 1),
            keys::TIMER_DELAY_MS => self.at = at(At::After, 1),
            keys::TIMER_DELAY_SEC => self.at = at(At::After, 1_000),
            keys::TIMER_DEL_UNIQKEY => self.cancels = true,
            _ => {}
        }
    }

    /// Whether there is anything to decide.
    #[inline]
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.at.is_some() || self.cancels
    }

    /// What becomes of the send.
    ///
    /// # Errors
    /// See [`TimerError`].
    pub fn decide(&self, rules: &TimerRules, now_ms: i64) -> Result<Timed, TimerError> {
        let due_ms = match self.at {
            None if self.cancels => return Ok(Timed::CancelsByKey),
            None => return Ok(Timed::Now),
            Some(At::Time(due_ms)) => due_ms,
            Some(At::After(delay_ms)) => now_ms.saturating_add(delay_ms),
            Some(At::Unreadable) => return Err(TimerError::Unreadable),
        };
        let ahead_ms = due_ms.saturating_sub(now_ms);
        if ahead_ms > rules.ahead_ms_max {
            return Err(TimerError::TooFar { ahead_ms, max_ms: rules.ahead_ms_max });
        }
        Ok(match self.cancels {
            true => Timed::Cancels(due_ms),
            false if ahead_ms <= 0 => Timed::Now,
            false => Timed::At(due_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: TimerRules = TimerRules { ahead_ms_max: 10_000 };
    const NOW: i64 = 1_000_000;

    fn check(properties: &[(&str, &str)], expected: Result<Timed, TimerError>) {
        let mut wish = TimerWish::default();
        properties.iter().for_each(|(name, value)| wish.note(name.as_bytes(), value.as_bytes()));
        assert_eq!(wish.decide(&RULES, NOW), expected, "{properties:?}");
    }

    #[test]
    fn times_are_given_as_such_or_from_now() {
        check(&[], Ok(Timed::Now));
        check(&[("TIMER_DELIVER_MS", "1000001")], Ok(Timed::At(NOW + 1)));
        check(&[("TIMER_DELIVER_MS", "1000000")], Ok(Timed::Now));
        check(&[("TIMER_DELIVER_MS", "5")], Ok(Timed::Now));
        check(&[("TIMER_DELAY_MS", "1500")], Ok(Timed::At(NOW + 1_500)));
        check(&[("TIMER_DELAY_SEC", "10")], Ok(Timed::At(NOW + 10_000)));
        check(&[("TIMER_OUT_MS", "1000001")], Ok(Timed::Now));
    }

    #[test]
    fn what_is_no_time_or_too_far_ahead_is_refused() {
        check(&[("TIMER_DELAY_SEC", "11")], Err(TimerError::TooFar { ahead_ms: 11_000, max_ms: 10_000 }));
        for value in ["soon", "-1", "", "1.5", "9223372036854775807"] {
            let far = TimerError::TooFar { ahead_ms: i64::MAX - NOW, max_ms: 10_000 };
            let expected = if value.len() == 19 { far } else { TimerError::Unreadable };
            check(&[("TIMER_DELIVER_MS", value)], Err(expected));
        }
        check(&[("TIMER_DELAY_SEC", "9223372036854775807")], Err(TimerError::Unreadable));
    }

    #[test]
    fn cancellations_name_a_key_and_perhaps_a_time() {
        check(&[("TIMER_DEL_UNIQKEY", "ID")], Ok(Timed::CancelsByKey));
        check(&[("TIMER_DEL_UNIQKEY", "ID"), ("TIMER_DELIVER_MS", "1000001")], Ok(Timed::Cancels(NOW + 1)));
        check(&[("TIMER_DEL_UNIQKEY", "ID"), ("TIMER_DELIVER_MS", "1")], Ok(Timed::Cancels(1)));
    }
}
