//! Which waiting message is next, in memory that does not grow with their number; but for the cancellations of the minute.
//!
//! ```text
//!   hour files ──when their hour begins──► minute files ──when their minute begins──► the window, in memory
//!                                                             what does not fit ──► second files, read as they are
//! ```
//!
//! The files belong to somebody else: this says what goes where and what is to be read now. They are made of the queues of
//! [`TIMER_TOPIC`](super::TIMER_TOPIC) and can be made again at any time, so nothing of them has to last.
//!
//! # Units
//! Milliseconds since the epoch.

use std::collections::BTreeMap;

use crate::store::TimerRow;

/// Milliseconds of the shortest time that a file is for.
pub const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A file of waiting messages, by the beginning of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// Those of one hour.
    Hour(i64),
    /// Those of one minute.
    Minute(i64),
    /// Those of one second that have no room in memory.
    Second(i64),
}

impl Bucket {
    /// The beginning of its time.
    #[must_use]
    pub fn start_ms(self) -> i64 {
        let (Self::Hour(start) | Self::Minute(start) | Self::Second(start)) = self;
        start
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(self) -> String {
        let unit = match self {
            Self::Hour(_) => "hour",
            Self::Minute(_) => "minute",
            Self::Second(_) => "second",
        };
        format!("{unit}-{}", self.start_ms())
    }
}

/// Where something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Window,
    /// In a file.
    File(Bucket),
}

/// The wheel.
#[derive(Debug)]
pub struct Wheel {
    /// By time; of what fires together, cancellations come before what they cancel.
    window: BTreeMap<(i64, bool, u64), TimerRow>,
    window_max: usize,
    next_number: u64,
    /// The end of the minute whose messages are in the window,
    opened_until: i64,
    /// and of the hour whose messages are in minute files.
    split_until: i64,
    /// Files that have something in them, with the earliest time of it: what was late already lies in a file of a later
    /// time.
    files: BTreeMap<Bucket, i64>,
}

impl Wheel {
    /// A wheel that holds nothing, at `now`, and never more messages than `window_max` in memory.
    #[must_use]
    pub fn new(now_ms: i64, window_max: usize) -> Self {
        let (minute, hour) = (start_of(now_ms, MINUTE_MS), start_of(now_ms, HOUR_MS));
        Self {
            window: BTreeMap::new(),
            window_max,
            next_number: 0,
            opened_until: minute + MINUTE_MS,
            split_until: hour + HOUR_MS,
            files: BTreeMap::new(),
        }
    }

    /// Takes something in; what goes into a file is for the caller to write there. Cancellations of the window's time are
    /// always held in memory: they are to be known before what they cancel.
    pub fn put(&mut self, waiting: TimerRow, now_ms: i64) -> Place {
        // What is late fires as soon as it can, however far the files were opened.
        let is_late = waiting.fire_ms <= now_ms;
        let fire_ms = waiting.fire_ms.max(now_ms);
        let bucket = if !is_late && fire_ms >= self.split_until {
            Bucket::Hour(start_of(fire_ms, HOUR_MS))
        } else if !is_late && fire_ms >= self.opened_until {
            Bucket::Minute(start_of(fire_ms, MINUTE_MS))
        } else if self.window.len() >= self.window_max && !waiting.cancels {
            Bucket::Second(start_of(fire_ms, SECOND_MS))
        } else {
            self.window.insert((waiting.fire_ms, !waiting.cancels, self.next_number), waiting);
            self.next_number += 1;
            return Place::Window;
        };
        let earliest = self.files.entry(bucket).or_insert(waiting.fire_ms);
        *earliest = waiting.fire_ms.min(*earliest);
        Place::File(bucket)
    }

    /// The next file whose contents are to be put again, one level lower; `None` when there is none yet.
    pub fn open_next(&mut self, now_ms: i64) -> Option<Bucket> {
        loop {
            if now_ms < self.opened_until {
                return None;
            }
            let minute = self.opened_until;
            if minute >= self.split_until {
                let hour = self.split_until;
                self.split_until += HOUR_MS;
                if self.files.remove(&Bucket::Hour(hour)).is_some() {
                    return Some(Bucket::Hour(hour));
                }
                continue;
            }
            self.opened_until += MINUTE_MS;
            if self.files.remove(&Bucket::Minute(minute)).is_some() {
                return Some(Bucket::Minute(minute));
            }
        }
    }

    /// A file of the past, all of which is due; `None` when there is none.
    #[must_use]
    pub fn due_file(&self, now_ms: i64) -> Option<Bucket> {
        self.files
            .keys()
            .copied()
            .find(|bucket| matches!(bucket, Bucket::Second(second) if second + SECOND_MS <= now_ms))
    }

    /// Notes that a file is gone.
    pub fn removed(&mut self, bucket: Bucket) {
        self.files.remove(&bucket);
    }

    /// Takes up to `max` out of memory that are due.
    pub fn take_due(&mut self, now_ms: i64, max: usize) -> Vec<TimerRow> {
        let mut due = Vec::new();
        while due.len() < max {
            match self.window.first_entry().filter(|first| first.key().0 <= now_ms) {
                Some(first) => due.push(first.remove()),
                None => break,
            }
        }
        due
    }

    /// When something is to be done next: a message is due, or a file is to be opened.
    #[must_use]
    pub fn next_ms(&self) -> i64 {
        let in_memory = self.window.first_key_value().map(|((fire_ms, ..), _)| *fire_ms);
        let seconds = self.files.keys().filter_map(|bucket| match bucket {
            Bucket::Second(second) => Some(second + SECOND_MS),
            _ => None,
        });
        in_memory.into_iter().chain(seconds.min()).fold(self.opened_until, i64::min)
    }

    /// Before this time nothing waits.
    #[must_use]
    pub fn clear_before(&self) -> i64 {
        let in_memory = self.window.first_key_value().map(|((fire_ms, ..), _)| *fire_ms);
        in_memory.into_iter().chain(self.files.values().copied().min()).min().unwrap_or(i64::MAX)
    }
}

/// The beginning of the unit that a time lies in.
#[must_use]
pub fn start_of(time_ms: i64, unit_ms: i64) -> i64 {
    time_ms.div_euclid(unit_ms) * unit_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::units::PhysicalOffset;

    /// Nine hours after some midnight.
    const NOW: i64 = 1_000_000 * HOUR_MS + 5 * MINUTE_MS + 30 * SECOND_MS;

    fn waiting(fire_ms: i64) -> TimerRow {
        TimerRow { fire_ms, physical: PhysicalOffset(fire_ms as u64), cancels: false }
    }

    fn fires(wheel: &mut Wheel, now_ms: i64) -> Vec<i64> {
        wheel.take_due(now_ms, 100).into_iter().map(|waiting| waiting.fire_ms - NOW).collect()
    }

    #[test]
    fn what_is_far_waits_in_files_and_comes_nearer() {
        let mut wheel = Wheel::new(NOW, 100);
        let hour = NOW - 5 * MINUTE_MS - 30 * SECOND_MS;
        assert_eq!(wheel.put(waiting(NOW + 10 * SECOND_MS), NOW), Place::Window);
        let next_minute = Bucket::Minute(NOW + 30 * SECOND_MS);
        assert_eq!(wheel.put(waiting(NOW + 31 * SECOND_MS), NOW), Place::File(next_minute));
        assert_eq!(wheel.put(waiting(hour + HOUR_MS + 5), NOW), Place::File(Bucket::Hour(hour + HOUR_MS)));
        assert_eq!(wheel.open_next(NOW), None);
        assert_eq!(wheel.next_ms(), NOW + 10 * SECOND_MS);
        assert_eq!(fires(&mut wheel, NOW + 10 * SECOND_MS), [10 * SECOND_MS]);
        assert_eq!(wheel.next_ms(), NOW + 30 * SECOND_MS);
        assert_eq!(wheel.clear_before(), NOW + 31 * SECOND_MS);
        assert_eq!(wheel.open_next(NOW + 30 * SECOND_MS), Some(next_minute));
        assert_eq!(wheel.put(waiting(NOW + 31 * SECOND_MS), NOW + 30 * SECOND_MS), Place::Window);
        assert_eq!(wheel.open_next(hour + HOUR_MS), Some(Bucket::Hour(hour + HOUR_MS)));
        let first_minute = Bucket::Minute(hour + HOUR_MS);
        assert_eq!(wheel.put(waiting(hour + HOUR_MS + 5), hour + HOUR_MS), Place::File(first_minute));
        assert_eq!(wheel.open_next(hour + HOUR_MS), Some(first_minute));
        assert_eq!(wheel.open_next(hour + HOUR_MS), None);
    }

    #[test]
    fn a_long_sleep_opens_every_file_of_the_past() {
        let mut wheel = Wheel::new(NOW, 100);
        for minutes in [1, 7, 100, 4_000] {
            wheel.put(waiting(NOW + minutes * MINUTE_MS), NOW);
        }
        let later = NOW + 5_000 * MINUTE_MS;
        let mut opened = Vec::new();
        let mut kept = [1, 7, 100, 4_000].map(|minutes| waiting(NOW + minutes * MINUTE_MS)).to_vec();
        while let Some(bucket) = wheel.open_next(later) {
            opened.push(bucket);
            let length = if matches!(bucket, Bucket::Hour(_)) { HOUR_MS } else { MINUTE_MS };
            let holds =
                |waiting: &mut TimerRow| (bucket.start_ms()..bucket.start_ms() + length).contains(&waiting.fire_ms);
            // What is in no file any more waits in memory, or in the file that it was put into.
            let again: Vec<TimerRow> = kept.extract_if(.., holds).collect();
            kept.extend(again.into_iter().filter(|waiting| wheel.put(*waiting, later) != Place::Window));
        }
        // Two were in minute files; two in hour files, and straight to memory from there, because all of it is late.
        assert_eq!(opened.len(), 4, "{opened:?}");
        assert_eq!(fires(&mut wheel, later).len(), 4);
    }

    #[test]
    fn what_has_no_room_in_memory_waits_in_a_file_of_its_second() {
        let mut wheel = Wheel::new(NOW, 2);
        assert_eq!(wheel.put(waiting(NOW + 1), NOW), Place::Window);
        assert_eq!(wheel.put(waiting(NOW + 2), NOW), Place::Window);
        let second = Bucket::Second(NOW);
        assert_eq!(wheel.put(waiting(NOW + 3), NOW), Place::File(second));
        // What is late belongs to the second that it came in, and waits all the same.
        assert_eq!(wheel.put(waiting(5), NOW), Place::File(second));
        assert_eq!((fires(&mut wheel, NOW + 2).len(), wheel.clear_before()), (2, 5));
        assert_eq!(wheel.due_file(NOW + 999), None);
        assert_eq!(wheel.due_file(NOW + 1_000), Some(second));
        wheel.removed(second);
        assert_eq!(wheel.due_file(NOW + 1_000), None);
    }

    #[test]
    fn a_cancellation_comes_before_what_it_cancels() {
        let mut wheel = Wheel::new(NOW, 1);
        wheel.put(waiting(NOW + 1), NOW);
        wheel.put(TimerRow { cancels: true, ..waiting(NOW + 1) }, NOW);
        let due = wheel.take_due(NOW + 1, 2);
        assert_eq!(due.iter().map(|row| row.cancels).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_is_due_comes_in_the_order_of_its_time_and_of_its_coming() {
        let mut wheel = Wheel::new(NOW, 100);
        for (fire, at) in [(3, 1), (1, 2), (3, 3), (2, 4)] {
            wheel.put(TimerRow { physical: PhysicalOffset(at), ..waiting(NOW + fire) }, NOW);
        }
        let order: Vec<u64> = wheel.take_due(NOW + 3, 3).iter().map(|waiting| waiting.physical.0).collect();
        assert_eq!(order, [2, 4, 1]);
        assert_eq!(fires(&mut wheel, NOW + 2), Vec::<i64>::new());
        assert_eq!(fires(&mut wheel, NOW + 3), [3]);
    }
}
