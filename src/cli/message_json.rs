//! A message as JSON: the same from every command that shows messages.

use serde_json::{Map, Value, json};

use crate::protocol::message::Message;
use crate::protocol::properties;

/// All that is known of a message. A body that is not text stands there as `bodyHex`.
pub(in crate::cli) fn as_json(broker: &str, message: &Message) -> Value {
    let properties: Map<String, Value> =
        properties::pairs(message.properties.as_str()).map(|(name, value)| (name.into(), value.into())).collect();
    let (body_name, body) = match std::str::from_utf8(&message.body) {
        Ok(text) => ("body", text.to_owned()),
        Err(_) => ("bodyHex", message.body.iter().map(|byte| format!("{byte:02x}")).collect()),
    };
    json!({
        "topic": message.topic.as_str(),
        "broker": broker,
        "queue": message.queue_id.0,
        "offset": message.queue_offset.0,
        "msgId": message.unique_id(),
        "offsetMsgId": message.offset_id(),
        "tag": message.tags(),
        "keys": message.keys(),
        "bornTimestamp": message.born_time.0,
        "storeTimestamp": message.store_time.0,
        "bornHost": message.born_host.to_string(),
        "reconsumeTimes": message.reconsume_times,
        "properties": properties,
        body_name: body,
    })
}
