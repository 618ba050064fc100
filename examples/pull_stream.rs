//! Messages as a stream, at the application's own pace.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example pull_stream
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, OutgoingMessage, PullConsumer, Wanted};
use ferromq::protocol::message::Message;
use futures_core::Stream;

/// The next message of a stream: what `StreamExt::next` of the futures crate does.
async fn next(stream: &mut PullConsumer) -> Option<Arc<Message>> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("stream-producer").start().await?;
    let mut sent = BTreeSet::new();
    for number in 0..20 {
        let receipt = producer.send(&OutgoingMessage::to("Measurements", format!("{number}"))?).await?;
        sent.insert(receipt.unique_id);
    }

    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let builder = client.pull_consumer("stream-consumer").options(options).subscribe("Measurements", Wanted::All);
    let mut consumer = builder.start().await?;
    let all = async {
        while !sent.is_empty()
            && let Some(message) = next(&mut consumer).await
        {
            sent.remove(message.unique_id().unwrap_or_default());
        }
    };
    tokio::time::timeout(Duration::from_secs(50), all).await?;
    // What was given is taken for consumed, and stored.
    consumer.stop().await?;
    producer.stop().await?;
    Ok(())
}
