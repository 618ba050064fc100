//! Topics made and changed by administrators.

use super::TopicActor;
use crate::broker::duplicates::window_of;
use crate::broker::topics::attributes;
use crate::protocol::body::topic_config::{Permission, TopicConfig, TopicFilterType};
use crate::protocol::command::Command;
use crate::protocol::headers::topic::CreateTopic;
use crate::protocol::refusal::Refusal;

impl TopicActor {
    pub(super) fn update(&mut self, command: &Command) -> Result<(), Refusal> {
        let header = CreateTopic::parse(&command.ext)?;
        let permission = u32::try_from(header.perm).map(Permission);
        let permission =
            permission.map_err(|_| Refusal::error(format!("perm is {}, which allows nothing", header.perm)))?;
        let topic_filter_type = header.topic_filter_type.as_deref().map(filter_type).transpose()?.unwrap_or_default();
        let table = self.parts.topics.table();
        let attributes = table.config(&header.topic).map(|config| config.attributes.clone()).unwrap_or_default();
        let config = TopicConfig {
            attributes: attributes::changed(attributes, header.attributes.as_deref().unwrap_or_default())?,
            read_queue_nums: queues(header.read_queue_nums, "readQueueNums")?,
            write_queue_nums: queues(header.write_queue_nums, "writeQueueNums")?,
            topic_filter_type,
            topic_sys_flag: header.topic_sys_flag.unwrap_or(0),
            ..TopicConfig::new(header.topic, 0, permission)
        };
        window_of(&config).map_err(|error| Refusal::error(error.to_string()))?;
        self.parts.topics.update(config, self.parts.clock.now_ms())?;
        self.changed = true;
        Ok(())
    }
}

fn queues(value: i32, name: &str) -> Result<u32, Refusal> {
    u32::try_from(value).map_err(|_| Refusal::error(format!("{name} is {value}, which is no number of queues")))
}

fn filter_type(name: &str) -> Result<TopicFilterType, Refusal> {
    let unknown = || Refusal::error(format!("topicFilterType is {name:?}, expected SINGLE_TAG or MULTI_TAG"));
    TopicFilterType::named(name).ok_or_else(unknown)
}
