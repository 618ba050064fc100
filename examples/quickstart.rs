//! Sends a message and consumes it.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example quickstart
//! ```

use std::error::Error;
use std::time::Duration;

use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Wanted};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("quickstart-producer").start().await?;
    let receipt = producer.send(&OutgoingMessage::to("Quickstart", "hello")?).await?;

    // A group that is new begins with the oldest message, and goes on where it was after that.
    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let (seen, mut ids) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        let seen = seen.clone();
        async move {
            for message in &delivery.messages {
                seen.send(message.unique_id().unwrap_or_default().to_owned())?;
            }
            Ok::<_, mpsc::error::SendError<String>>(())
        }
    };
    let builder = client.push_consumer("quickstart-consumer").options(options).subscribe("Quickstart", Wanted::All);
    let consumer = builder.start(listener).await?;

    let found = async { while ids.recv().await.is_some_and(|id| id != receipt.unique_id) {} };
    tokio::time::timeout(Duration::from_secs(50), found).await?;
    consumer.stop().await?;
    producer.stop().await?;
    Ok(())
}
