//! The broker's statistics: how much was put and got, by topic and by group, over the last minute, hour and day.
//!
//! Takes counts and the time they were made at, gives figures. Nothing runs by itself: what is too old to count falls out
//! when the figures are touched next, so a thousand idle counters cost no timer.
//!
//! # Source
//! `BrokerStatsManager`, `StatsItem`, `StoreStatsService` and `BrokerStats` 4.9.7 (read). Java looks at its counters
//! every 10 seconds, 10 minutes and hour, and shows what they were then; here they are shown as they are when asked.

mod window;

use std::collections::HashMap;
use std::fmt::Write;

use self::window::{DAY, HOUR, MINUTE, TEN_MINUTES, TEN_SECONDS, Window};
use crate::protocol::body::stats::{BrokerStatsData, BrokerStatsItem};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What is counted, as tools name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Messages put into a topic; the key is the topic.
    TopicPutNums,
    /// Their bytes as they are stored.
    TopicPutSize,
    /// Messages got by a group from a topic; the key is `topic@group`.
    GroupGetNums,
    /// Their bytes as they are stored.
    GroupGetSize,
    /// Messages that a group could not handle; the key is `topic@group`.
    SentBackNums,
    /// Messages put into all topics; the key is the cluster.
    BrokerPutNums,
    /// Messages got by all groups; the key is the cluster.
    BrokerGetNums,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 7] = [
        Self::TopicPutNums,
        Self::TopicPutSize,
        Self::GroupGetNums,
        Self::GroupGetSize,
        Self::SentBackNums,
        Self::BrokerPutNums,
        Self::BrokerGetNums,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopicPutNums => "TOPIC_PUT_NUMS",
            Self::TopicPutSize => "TOPIC_PUT_SIZE",
            Self::GroupGetNums => "GROUP_GET_NUMS",
            Self::GroupGetSize => "GROUP_GET_SIZE",
            Self::SentBackNums => "SNDBCK_PUT_NUMS",
            Self::BrokerPutNums => "BROKER_PUT_NUMS",
            Self::BrokerGetNums => "BROKER_GET_NUMS",
        }
    }

    /// The counter of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counter| counter.name() == name)
    }
}

/// Messages and the bytes that they take in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    /// Adds another amount.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// All counters of a broker.
#[derive(Debug)]
pub struct Stats {
    cluster: String,
    items: HashMap<Counter, HashMap<String, Item>>,
    put: Flow,
    got: Flow,
    found: Rate,
    missed: Rate,
    put_bytes: u64,
    /// When it was last looked for items that nobody needs.
    swept_ms: i64,
}

impl Stats {
    /// Has counted nothing yet.
    #[must_use]
    pub fn new(cluster: &str, now_ms: i64) -> Self {
        Self {
            cluster: cluster.into(),
            items: HashMap::new(),
            put: Flow::new(now_ms),
            got: Flow::new(now_ms),
            found: Rate::new(now_ms),
            missed: Rate::new(now_ms),
            put_bytes: 0,
            swept_ms: now_ms,
        }
    }

    /// Messages were put into a topic.
    pub fn put(&mut self, topic: &str, amount: Amount, now_ms: i64) {
        let Amount { messages, bytes } = amount;
        self.count(Counter::TopicPutNums, topic, messages, messages, now_ms);
        self.count(Counter::TopicPutSize, topic, bytes, messages, now_ms);
        self.count_whole(Counter::BrokerPutNums, messages, now_ms);
        self.put.add(messages, now_ms);
        self.put_bytes += bytes;
    }

    /// A group got messages of a topic, with so many answers.
    pub fn got(&mut self, topic: &str, group: &str, amount: Amount, answers: u64, now_ms: i64) {
        let key = format!("{topic}@{group}");
        self.count(Counter::GroupGetNums, &key, amount.messages, answers, now_ms);
        self.count(Counter::GroupGetSize, &key, amount.bytes, answers, now_ms);
        self.count_whole(Counter::BrokerGetNums, amount.messages, now_ms);
        self.got.add(amount.messages, now_ms);
        self.found.add(answers, now_ms);
    }

    /// So many pulls found nothing.
    pub fn missed(&mut self, pulls: u64, now_ms: i64) {
        self.missed.add(pulls, now_ms);
    }

    /// A group sent a message of a topic back.
    pub fn sent_back(&mut self, topic: &str, group: &str, now_ms: i64) {
        self.count(Counter::SentBackNums, &format!("{topic}@{group}"), 1, 1, now_ms);
    }

    /// The figures of one counter; `None` if nothing was counted under this key for a day.
    #[must_use]
    pub fn figures(&self, name: &str, key: &str, now_ms: i64) -> Option<BrokerStatsData> {
        let item = self.items.get(&Counter::named(name)?)?.get(key)?;
        item.counts_at(now_ms).then(|| item.figures(now_ms))
    }

    /// Messages of a topic that a group gets in a second, over the last minute.
    ///
    /// # Source
    /// `BrokerStatsManager.tpsGroupGetNums` 4.9.7 (read).
    #[must_use]
    pub fn group_rate(&self, topic: &str, group: &str, now_ms: i64) -> f64 {
        let item = self.items.get(&Counter::GroupGetNums).and_then(|items| items.get(&format!("{topic}@{group}")));
        item.map_or(0.0, |item| item.figures(now_ms).stats_minute.tps)
    }

    /// What GET_BROKER_RUNTIME_INFO tells of it, by the names of its keys.
    #[must_use]
    pub fn runtime_info(&mut self, now_ms: i64) -> Vec<(&'static str, String)> {
        let (put, got) = (self.put.days(now_ms), self.got.days(now_ms));
        // Java never says zero here, so that it can divide by it.
        let times = put.now.max(1);
        let both =
            self.found.per_second(now_ms).map_with(self.missed.per_second(now_ms), |found, missed| found + missed);
        vec![
            ("msgPutTotalYesterdayMorning", put.yesterday.to_string()),
            ("msgPutTotalTodayMorning", put.today.to_string()),
            ("msgPutTotalTodayNow", put.now.to_string()),
            ("msgGetTotalYesterdayMorning", got.yesterday.to_string()),
            ("msgGetTotalTodayMorning", got.today.to_string()),
            ("msgGetTotalTodayNow", got.now.to_string()),
            ("putMessageTimesTotal", times.to_string()),
            ("putMessageSizeTotal", self.put_bytes.to_string()),
            ("putMessageAverageSize", format!("{:?}", self.put_bytes as f64 / times as f64)),
            ("putTps", self.put.rate.per_second(now_ms).text()),
            ("getTransferedTps", self.got.rate.per_second(now_ms).text()),
            ("getFoundTps", self.found.per_second(now_ms).text()),
            ("getMissTps", self.missed.per_second(now_ms).text()),
            ("getTotalTps", both.text()),
        ]
    }

    /// The counters of the broker as a whole count no times, as in Java, so that their mean is 0.
    fn count_whole(&mut self, counter: Counter, sum: u64, now_ms: i64) {
        let cluster = std::mem::take(&mut self.cluster);
        self.count(counter, &cluster, sum, 0, now_ms);
        self.cluster = cluster;
    }

    fn count(&mut self, counter: Counter, key: &str, sum: u64, times: u64, now_ms: i64) {
        if now_ms - self.swept_ms >= DAY_MS {
            self.swept_ms = now_ms;
            self.items.values_mut().for_each(|items| items.retain(|_, item| item.counts_at(now_ms)));
        }
        let items = self.items.entry(counter).or_default();
        match items.get_mut(key) {
            Some(item) => item.count(sum, times, now_ms),
            None => {
                let mut item = Item::new(now_ms);
                item.count(sum, times, now_ms);
                items.insert(key.into(), item);
            }
        }
    }
}

/// One counter under one key.
#[derive(Debug)]
struct Item {
    since_ms: i64,
    minute: Window,
    hour: Window,
    day: Window,
}

impl Item {
    fn new(now_ms: i64) -> Self {
        Self { since_ms: now_ms, minute: Window::of(MINUTE), hour: Window::of(HOUR), day: Window::of(DAY) }
    }

    fn count(&mut self, sum: u64, times: u64, now_ms: i64) {
        for window in [&mut self.minute, &mut self.hour, &mut self.day] {
            window.add(sum, times, now_ms);
        }
    }

    fn counts_at(&self, now_ms: i64) -> bool {
        self.day.newest_ms().is_some_and(|newest| now_ms - newest < DAY_MS)
    }

    fn figures(&self, now_ms: i64) -> BrokerStatsData {
        let of = |window: &Window| {
            let counted = window.counted(self.since_ms, now_ms);
            let avgpt = if counted.times > 0 { counted.sum as f64 / counted.times as f64 } else { 0.0 };
            BrokerStatsItem { avgpt, sum: i64::try_from(counted.sum).unwrap_or(i64::MAX), tps: counted.per_second() }
        };
        BrokerStatsData { stats_day: of(&self.day), stats_hour: of(&self.hour), stats_minute: of(&self.minute) }
    }
}

/// What passes through the broker in one direction.
#[derive(Debug)]
struct Flow {
    rate: Rate,
    days: Days,
}

impl Flow {
    fn new(now_ms: i64) -> Self {
        Self { rate: Rate::new(now_ms), days: Days { day: now_ms.div_euclid(DAY_MS), ..Days::default() } }
    }

    fn add(&mut self, messages: u64, now_ms: i64) {
        self.rate.add(messages, now_ms);
        self.days.turn(now_ms);
        self.days.now += messages;
    }

    fn days(&mut self, now_ms: i64) -> Days {
        self.days.turn(now_ms);
        self.days
    }
}

/// A total, and what it was when this day and the one before began (by UTC; Java's days are those of its time zone).
#[derive(Clone, Copy, Debug, Default)]
struct Days {
    day: i64,
    yesterday: u64,
    today: u64,
    now: u64,
}

impl Days {
    fn turn(&mut self, now_ms: i64) {
        let day = now_ms.div_euclid(DAY_MS);
        if day > self.day {
            self.yesterday = if day == self.day + 1 { self.today } else { self.now };
            (self.today, self.day) = (self.now, day);
        }
    }
}

/// Events per second over the last ten seconds, minute and ten minutes.
#[derive(Debug)]
struct Rate {
    since_ms: i64,
    windows: [Window; 3],
}

impl Rate {
    fn new(now_ms: i64) -> Self {
        Self { since_ms: now_ms, windows: [TEN_SECONDS, MINUTE, TEN_MINUTES].map(Window::of) }
    }

    fn add(&mut self, events: u64, now_ms: i64) {
        self.windows.iter_mut().for_each(|window| window.add(events, 1, now_ms));
    }

    fn per_second(&self, now_ms: i64) -> PerSecond {
        PerSecond(self.windows.each_ref().map(|window| window.counted(self.since_ms, now_ms).per_second()))
    }
}

struct PerSecond([f64; 3]);

impl PerSecond {
    fn map_with(self, other: Self, both: impl Fn(f64, f64) -> f64) -> Self {
        let [[a, b, c], [x, y, z]] = [self.0, other.0];
        Self([both(a, x), both(b, y), both(c, z)])
    }

    /// As tools read it: apart by blanks, each with a point in it.
    fn text(self) -> String {
        let mut text = String::new();
        for (number, rate) in self.0.into_iter().enumerate() {
            let blank = if number == 0 { "" } else { " " };
            // A text takes everything.
            let _ = write!(text, "{blank}{rate:?}");
        }
        text
    }
}

#[cfg(test)]
mod tests;
