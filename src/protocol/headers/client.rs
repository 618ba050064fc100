//! Clients: who is there, who has left, who has to hear of it.

use super::headers;

headers! {
    /// UNREGISTER_CLIENT.
    UnregisterClient {
        /// The client.
        client_id: text "clientID",
        /// The producer group that it leaves.
        producer_group: optional_text "producerGroup",
        /// The consumer group that it leaves.
        consumer_group: optional_text "consumerGroup",
    }

    /// Requests about one consumer group: GET_CONSUMER_LIST_BY_GROUP, GET_CONSUMER_CONNECTION_LIST; and the notice
    /// NOTIFY_CONSUMER_IDS_CHANGED.
    OfConsumerGroup {
        /// Its name.
        consumer_group: text "consumerGroup",
    }

    /// GET_PRODUCER_CONNECTION_LIST.
    OfProducerGroup {
        /// Its name.
        producer_group: text "producerGroup",
    }
}
