//! The body of a broker's registration, plain and compressed, and its check sum.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};

use super::data_version::DataVersion;
use super::topic_config::{Permission, TopicConfig, TopicConfigTable, TopicFilterType};
use super::{Body, BodyError, json, lenient, plain_body};
use crate::protocol::compression;

/// The largest compressed registration that is inflated: a frame's limit of JSON for some 300,000 topics.
pub const INFLATED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// zlib's own default, which the reference uses.
const COMPRESSION_LEVEL: u32 = 6;

/// Request of REGISTER_BROKER.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RegisterBrokerBody {
    /// Addresses of filter servers; none in any current deployment.
    pub filter_server_list: Vec<String>,
    /// The broker's topics, or the one that has just changed.
    pub topic_config_serialize_wrapper: TopicConfigTable,
}

plain_body!(RegisterBrokerBody);

/// The check sum that goes with a registration: CRC-32 of the bytes as sent, without its top bit.
#[must_use]
pub fn body_crc32(body: &[u8]) -> i32 {
    (crc32fast::hash(body) & 0x7fff_ffff) as i32
}

/// Whether a body is what its sender summed up; a sum of 0 is not checked.
#[must_use]
pub fn crc_matches(body: &[u8], body_crc: i32) -> bool {
    body_crc == 0 || body_crc32(body) == body_crc
}

impl RegisterBrokerBody {
    /// Reads the body of a request whose header says whether it is `compressed`; an empty body is an empty table.
    ///
    /// # Errors
    /// Tells what is not JSON, not zlib, too long or cut short.
    pub fn decode_registration(body: &[u8], compressed: bool) -> Result<Self, BodyError> {
        match body {
            [] => Ok(Self::default()),
            _ if compressed => Self::inflate(body, INFLATED_BYTES_MAX),
            _ => Self::decode(body),
        }
    }

    /// Reads the compressed form.
    ///
    /// # Layout
    /// One zlib stream, numbers big endian:
    ///
    /// | part | bytes |
    /// |---|---|
    /// | data version | 4 length, JSON |
    /// | number of topics | 4 |
    /// | each topic | 4 length, text `name readQueues writeQueues perm filterType` |
    /// | filter servers | 4 length, JSON list |
    ///
    /// What follows (the mappings of 5.x) is not read. `order` and `topicSysFlag` are not in it.
    ///
    /// # Errors
    /// Not zlib or more than `limit` bytes inflated; a length that leads outside.
    ///
    /// # Source
    /// `org.apache.rocketmq.common.protocol.body.RegisterBrokerBody` 4.9.7 (read; fixture).
    pub fn inflate(body: &[u8], limit: usize) -> Result<Self, BodyError> {
        let inflated = compression::unzlib(body, limit)?;
        let mut parts = Parts { rest: &inflated, length: inflated.len() };
        let data_version: DataVersion = lenient::read(parts.text("the data version")?)?;
        let topic_count = parts.number("the number of topics")?;
        let mut table = TopicConfigTable { data_version, ..TopicConfigTable::default() };
        for _ in 0..topic_count {
            let at = parts.at();
            let line = std::str::from_utf8(parts.text("a topic")?).ok();
            let topic = line.and_then(topic_from_line).ok_or_else(|| parts.error_at(at, "a topic in five words"))?;
            table.topic_config_table.insert(topic.topic_name.as_str().into(), Arc::new(topic));
        }
        // Brokers before 4.1 end here.
        let filter_server_list =
            if parts.rest.is_empty() { Vec::new() } else { lenient::read(parts.text("the filter servers")?)? };
        Ok(Self { filter_server_list, topic_config_serialize_wrapper: table })
    }

    /// The compressed form.
    #[must_use]
    pub fn deflate(&self) -> Bytes {
        let table = &self.topic_config_serialize_wrapper;
        let mut plain = Vec::new();
        push_text(&mut plain, &json(&table.data_version));
        plain.extend((table.topic_config_table.len() as u32).to_be_bytes());
        for topic in table.topic_config_table.values() {
            push_text(&mut plain, topic_line(topic).as_bytes());
        }
        push_text(&mut plain, &json(&self.filter_server_list));
        compression::zlib(&plain, COMPRESSION_LEVEL).into()
    }
}

fn topic_line(topic: &TopicConfig) -> String {
    let TopicConfig { topic_name, read_queue_nums, write_queue_nums, perm, topic_filter_type, .. } = topic;
    format!("{topic_name} {read_queue_nums} {write_queue_nums} {} {}", perm.0, topic_filter_type.as_str())
}

fn topic_from_line(line: &str) -> Option<TopicConfig> {
    let mut words = line.split(' ');
    let topic = TopicConfig {
        topic_name: words.next()?.into(),
        read_queue_nums: words.next()?.parse().ok()?,
        write_queue_nums: words.next()?.parse().ok()?,
        perm: Permission(words.next()?.parse().ok()?),
        topic_filter_type: TopicFilterType::named(words.next()?)?,
        ..TopicConfig::default()
    };
    Some(topic)
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text);
}

/// The inflated bytes that are still to be read.
struct Parts<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Parts<'a> {
    fn number(&mut self, expected: &'static str) -> Result<u32, BodyError> {
        let at = self.at();
        self.rest.try_get_u32().map_err(|_| self.error_at(at, expected))
    }

    fn text(&mut self, expected: &'static str) -> Result<&'a [u8], BodyError> {
        let at = self.at();
        let length = self.number(expected)? as usize;
        let (text, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.error_at(at, expected))?;
        self.rest = rest;
        Ok(text)
    }

    fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    fn error_at(&self, at: usize, expected: &'static str) -> BodyError {
        BodyError::Registration { at, length: self.length, expected }
    }
}
