//! The keys of a send to a topic that stores each send once only.

use smallvec::smallvec;

use super::stored_text::StoredText;
use super::{Denied, Topic};
use crate::broker::duplicates::{IDEMPOTENCE_KEY, PutKeys, SendKey};
use crate::protocol::codes::response;
use crate::protocol::message::BatchItems;
use crate::protocol::refusal::Refusal;
use crate::protocol::units::QueueId;

/// The keys of the next put, for a send with this text and, if it is one, the body of a batch.
///
/// # Errors
/// The batch names one key for all its messages, of which only one would be stored.
#[cold]
pub(super) fn keys_of(
    (topic, queue_id, window_ms): (&Topic, QueueId, i64),
    put: usize,
    text: &StoredText,
    batch: Option<&[u8]>,
) -> Result<PutKeys, Denied> {
    let keys = match batch {
        None => smallvec![SendKey::in_properties(text.as_sent())],
        Some(_) if SendKey::named(text.as_sent()).is_some() => {
            let remark =
                format!("the batch has the property {IDEMPOTENCE_KEY}, which each of its messages needs for itself");
            return Err(Refusal::new(response::MESSAGE_ILLEGAL, remark).into());
        }
        // What cannot be read is refused by whoever stores it.
        Some(body) => {
            BatchItems::of(body).flatten().map(|item| SendKey::in_properties(item.properties.as_bytes())).collect()
        }
    };
    Ok(PutKeys { put, topic: topic.clone(), queue_id, window_ms, keys })
}
