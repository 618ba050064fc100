//! Many messages in few requests: as one batch, and gathered from senders that know nothing of each other.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example batch
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use ferromq::client::{
    Begin, Client, ClientOptions, ConsumerOptions, Delivery, Gathering, OutgoingMessage, ProducerOptions, Wanted,
};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let options = ProducerOptions { gathering: Some(Gathering::default()), ..ProducerOptions::default() };
    let producer = client.producer("batch-producer").options(options).start().await?;
    let mut sent = BTreeSet::new();

    // One batch: its messages are stored next to each other, or none is.
    let batch: Result<Vec<_>, _> = (0..10).map(|number| OutgoingMessage::to("Batches", format!("{number}"))).collect();
    let receipt = producer.send_batch(&batch?).await?;
    sent.extend(receipt.unique_id.split(',').map(String::from));

    // A hundred sends at once, which travel together.
    let mut under_way = Vec::new();
    for number in 0..100 {
        under_way.push(producer.submit(OutgoingMessage::to("Batches", format!("{number}"))?)?);
    }
    for submitted in under_way {
        sent.insert(submitted.await?.unique_id);
    }

    let options = ConsumerOptions { begin: Begin::First, messages_per_delivery: 32, ..ConsumerOptions::default() };
    let (seen, mut ids) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        for message in &delivery.messages {
            // The receiver is there until the consumer has stopped.
            let _ = seen.send(message.unique_id().unwrap_or_default().to_owned());
        }
        std::future::ready(())
    };
    let builder = client.push_consumer("batch-consumer").options(options).subscribe("Batches", Wanted::All);
    let consumer = builder.start(listener).await?;
    let all = async {
        while !sent.is_empty()
            && let Some(id) = ids.recv().await
        {
            sent.remove(&id);
        }
    };
    tokio::time::timeout(Duration::from_secs(50), all).await?;
    consumer.stop().await?;
    producer.stop().await?;
    Ok(())
}
