//! A message that is consumed two levels of delay later: after five seconds, unless the broker has other levels.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example delay
//! ```

use std::error::Error;
use std::time::Duration;

use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delay, Delivery, OutgoingMessage, Wanted};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("delay-producer").start().await?;
    let message = OutgoingMessage::to("Reminders", "do not forget")?.delay(Delay::Level(2));
    let receipt = producer.send(&message).await?;

    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let (seen, mut messages) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        for message in delivery.messages {
            // The receiver is there until the consumer has stopped.
            let _ = seen.send(message);
        }
        std::future::ready(())
    };
    let builder = client.push_consumer("delay-consumer").options(options).subscribe("Reminders", Wanted::All);
    let consumer = builder.start(listener).await?;
    let found = async {
        while let Some(message) = messages.recv().await {
            if message.unique_id() == Some(&*receipt.unique_id) {
                return Ok(message);
            }
        }
        Err("the consumer has ended")
    };
    let message = tokio::time::timeout(Duration::from_secs(50), found).await??;
    consumer.stop().await?;
    producer.stop().await?;
    // The broker has stored it for the second time when its time had come.
    let waited_ms = message.store_time.0 - message.born_time.0;
    if waited_ms < 1_000 { Err(format!("it waited for {waited_ms} ms only").into()) } else { Ok(()) }
}
