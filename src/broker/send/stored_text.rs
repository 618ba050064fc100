//! The properties text of a send: what it says that decides about the send, and what is stored of it.

use crate::broker::timer::TimerWish;
use crate::protocol::ext_fields::FieldText;
use crate::protocol::message::PROPERTIES_LENGTH_MAX;
use crate::protocol::properties::{self, PairPlace, keys};

const NAME_END: u8 = properties::NAME_VALUE_SEPARATOR as u8;
const PAIR_END: u8 = properties::PAIR_SEPARATOR as u8;

const WAIT: &[u8] = keys::WAIT.as_bytes();
const DELAY: &[u8] = keys::DELAY.as_bytes();
const TRAN_MSG: &[u8] = keys::TRAN_MSG.as_bytes();

/// What a properties text says that decides about its send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) waits: bool,
    pub(super) delay: Delay,
    pub(super) transactional: bool,
    pub(super) timer: TimerWish,
    wait: Wait,
}

/// What a text says about when its message is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delay {
    /// At once.
    None,
    /// After the time of this level, which may be beyond the last one.
    Level(u32),
    /// Something that is no level. Stored, the message would be delivered at once.
    Unreadable,
}

/// Where WAIT stands, which is for the broker and is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Nowhere.
    Absent,
    /// In one pair of a text that holds nothing but pairs.
    In(PairPlace),
    /// Somewhere in a text that is written anew without it.
    Somewhere,
}

/// Room for one text, used again from send to send.
#[derive(Debug)]
pub(super) struct StoredText {
    /// The pair that every text gets, behind a separator.
    cluster: Vec<u8>,
    text: Vec<u8>,
    item: Vec<u8>,
}

impl StoredText {
    pub(super) fn new(cluster: &str) -> Self {
        let mut pair = Vec::from(keys::CLUSTER);
        pair.push(NAME_END);
        pair.extend_from_slice(cluster.as_bytes());
        Self { cluster: pair, text: Vec::new(), item: Vec::new() }
    }

    /// Keeps no more room than ordinary texts need.
    pub(super) fn trim(&mut self) {
        for room in [&mut self.text, &mut self.item] {
            room.clear();
            room.shrink_to(PROPERTIES_LENGTH_MAX);
        }
    }

    /// Takes in the text of a send and looks through it once.
    pub(super) fn read(&mut self, text: FieldText<'_>) -> Traits {
        self.text.clear();
        text.append_to(&mut self.text);
        Traits::of(&self.text)
    }

    /// The text as it was sent, while nothing else was made of it.
    pub(super) fn as_sent(&self) -> &[u8] {
        &self.text
    }

    /// What is stored of the text of a single message: without WAIT, and with the name of the cluster.
    pub(super) fn finish(&mut self, traits: &Traits) -> &[u8] {
        match traits.wait {
            Wait::Absent => {}
            Wait::In(place) => drop(self.text.drain(place.start..(place.end + 1).min(self.text.len()))),
            Wait::Somewhere => self.text = without_wait(&self.text),
        }
        end_pair(&mut self.text);
        self.text.extend_from_slice(&self.cluster);
        &self.text
    }

    /// What is stored of the text of a single message that goes somewhere else first: all of it, with these pairs and the
    /// name of the cluster.
    ///
    /// # Source
    /// WAIT stays, as in `CommitLog.asyncPutMessage` 4.9.7 (measured: recorded answers to VIEW_MESSAGE_BY_ID).
    pub(super) fn aside(&mut self, pairs: &[(&str, &str)]) -> &[u8] {
        self.text = properties::with(&self.text, pairs);
        end_pair(&mut self.text);
        self.text.extend_from_slice(&self.cluster);
        &self.text
    }

    /// What is stored of one message of a batch: its own text, that of the batch, and the name of the cluster.
    pub(super) fn of_item(&mut self, own: &str) -> &[u8] {
        self.item.clear();
        for part in [own.as_bytes(), &self.text, &self.cluster] {
            end_pair(&mut self.item);
            self.item.extend_from_slice(part);
        }
        &self.item
    }
}

impl Traits {
    /// What a text says; that of a message in a batch decides about the batch.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut traits = Self {
            waits: true,
            delay: Delay::None,
            transactional: false,
            timer: TimerWish::default(),
            wait: Wait::Absent,
        };
        let mut pairs_end = 0;
        let mut pairs_only = true;
        for place in properties::places(text) {
            pairs_only &= place.start == pairs_end;
            pairs_end = place.end + 1;
            let value = || text.get(place.value()).unwrap_or_default();
            match text.get(place.name()).unwrap_or_default() {
                WAIT => {
                    traits.waits = value() != b"false";
                    traits.wait = if traits.wait == Wait::Absent { Wait::In(place) } else { Wait::Somewhere };
                }
                DELAY => traits.delay = Delay::of(value()),
                TRAN_MSG => traits.transactional = value().eq_ignore_ascii_case(b"true"),
                name if TimerWish::may_know(name) => traits.timer.note(name, value()),
                _ => {}
            }
        }
        pairs_only &= pairs_end >= text.len();
        if !pairs_only && traits.wait != Wait::Absent {
            traits.wait = Wait::Somewhere;
        }
        traits
    }
}

impl Delay {
    fn of(value: &[u8]) -> Self {
        let level = std::str::from_utf8(value).ok().and_then(|level| level.parse::<i32>().ok());
        match level {
            None => Self::Unreadable,
            Some(level) => u32::try_from(level).ok().filter(|level| *level > 0).map_or(Self::None, Self::Level),
        }
    }
}

/// The pairs of a text but for WAIT.
#[cold]
fn without_wait(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    for place in properties::places(text) {
        if text.get(place.name()) != Some(WAIT) {
            kept.extend_from_slice(text.get(place.start..place.end).unwrap_or_default());
            kept.push(PAIR_END);
        }
    }
    kept
}

/// Ends the last pair of a text, if there is one.
fn end_pair(text: &mut Vec<u8>) {
    if text.last().is_some_and(|last| *last != PAIR_END) {
        text.push(PAIR_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> (String, Traits) {
        let mut room = StoredText::new("C");
        let traits = room.read(FieldText::from(text));
        (String::from_utf8_lossy(room.finish(&traits)).into_owned(), traits)
    }

    #[test]
    fn wait_goes_and_the_cluster_comes() {
        for (text, expected, waits) in [
            ("", "CLUSTER\u{1}C", true),
            ("A\u{1}a", "A\u{1}a\u{2}CLUSTER\u{1}C", true),
            ("A\u{1}a\u{2}WAIT\u{1}true\u{2}", "A\u{1}a\u{2}CLUSTER\u{1}C", true),
            ("WAIT\u{1}false\u{2}A\u{1}a", "A\u{1}a\u{2}CLUSTER\u{1}C", false),
            ("WAIT\u{1}true", "CLUSTER\u{1}C", true),
            ("A\u{1}a\u{2}WAIT\u{1}true\u{2}B\u{1}b", "A\u{1}a\u{2}B\u{1}b\u{2}CLUSTER\u{1}C", true),
            // Twice, and among pieces that are no pairs: written anew.
            ("WAIT\u{1}true\u{2}A\u{1}a\u{2}WAIT\u{1}false", "A\u{1}a\u{2}CLUSTER\u{1}C", false),
            ("x\u{2}WAIT\u{1}true\u{2}A\u{1}a\u{2}B\u{1}", "A\u{1}a\u{2}CLUSTER\u{1}C", true),
            ("WAIT\u{1}\u{2}", "WAIT\u{1}\u{2}CLUSTER\u{1}C", true),
        ] {
            let (found, traits) = stored(text);
            assert_eq!((found.as_str(), traits.waits), (expected, waits), "{text:?}");
        }
    }

    #[test]
    fn what_decides_about_a_send_is_seen() {
        for (text, delay, transactional) in [
            ("DELAY\u{1}3\u{2}", Delay::Level(3), false),
            ("DELAY\u{1}99", Delay::Level(99), false),
            ("DELAY\u{1}0", Delay::None, false),
            ("DELAY\u{1}-1", Delay::None, false),
            ("DELAY\u{1}x", Delay::Unreadable, false),
            ("A\u{1}a\u{2}TRAN_MSG\u{1}true", Delay::None, true),
            ("TRAN_MSG\u{1}TRUE", Delay::None, true),
            ("TRAN_MSG\u{1}false", Delay::None, false),
        ] {
            let (_, traits) = stored(text);
            assert_eq!((traits.delay, traits.transactional), (delay, transactional), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_goes_aside_keeps_wait_and_has_each_name_once() {
        let mut room = StoredText::new("C");
        room.read(FieldText::from("WAIT\u{1}true\u{2}DELAY\u{1}30\u{2}A\u{1}a\u{2}"));
        let aside = room.aside(&[("REAL_TOPIC", "T"), ("DELAY", "18")]);
        assert_eq!(aside, b"WAIT\x01true\x02A\x01a\x02REAL_TOPIC\x01T\x02DELAY\x0118\x02CLUSTER\x01C");
    }

    #[test]
    fn an_item_has_its_own_text_first() {
        let mut room = StoredText::new("C");
        room.read(FieldText::from("B\u{1}b"));
        assert_eq!(room.of_item("A\u{1}a\u{2}"), b"A\x01a\x02B\x01b\x02CLUSTER\x01C");
        assert_eq!(room.of_item(""), b"B\x01b\x02CLUSTER\x01C");
    }
}
