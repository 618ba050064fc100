//! Messages that are sent while no broker can be reached are kept on the disk, and come in their order when one can.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example spool
//! ```

use std::error::Error;
use std::time::Duration;

use ferromq::client::{
    Begin, Client, ClientOptions, ConsumerOptions, Delivery, Order, OutgoingMessage, Sent, SpoolOptions, Wanted,
};
use tokio::sync::mpsc;

/// A port that the system gives to nobody.
const NOBODY: &str = "127.0.0.1:1";
const MESSAGES: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("ferromq-spool-{}", std::process::id()));
    let outcome = run(&SpoolOptions::at(&directory)).await;
    // It is not there if nothing has begun.
    let _ = std::fs::remove_dir_all(&directory);
    outcome
}

async fn run(spool: &SpoolOptions) -> Result<(), Box<dyn Error>> {
    // What tells this run's messages from those of earlier ones.
    let run = std::process::id().to_string();
    // The cluster is not there.
    let alone = Client::new(ClientOptions::of(NOBODY)).await?;
    let producer = alone.producer("spool-producer").start_spooled(spool.clone()).await?;
    for number in 0..MESSAGES {
        // One key, one queue: there the order can be seen.
        let message = OutgoingMessage::to("SpoolTopic", format!("{run} {number}"))?.sharding_key(&run);
        match producer.send(&message).await? {
            Sent::Spooled { unique_id } => eprintln!("{number} waits as {unique_id}"),
            Sent::Stored(receipt) => return Err(format!("who has stored it? {receipt:?}").into()),
        }
    }
    producer.stop().await?;

    // The application is started again, and the cluster is there.
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("spool-producer").start_spooled(spool.clone()).await?;
    eprintln!("{:?}", producer.waiting());
    tokio::time::timeout(Duration::from_secs(20), producer.drained()).await??;
    let arrived = consume(&client, &run).await?;
    producer.stop().await?;
    let expected: Vec<_> = (0..MESSAGES).map(|number| format!("{run} {number}")).collect();
    if arrived == expected { Ok(()) } else { Err(format!("{arrived:?} came").into()) }
}

/// The bodies of this run's messages, as they come.
async fn consume(client: &Client, run: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let options = ConsumerOptions { order: Order::Queue, begin: Begin::First, ..ConsumerOptions::default() };
    let (seen, mut bodies) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        for message in &delivery.messages {
            // The receiver is there until the consumer has stopped.
            let _ = seen.send(String::from_utf8_lossy(&message.body).into_owned());
        }
        std::future::ready(())
    };
    let builder = client.push_consumer("spool-consumer").options(options).subscribe("SpoolTopic", Wanted::All);
    let consumer = builder.start(listener).await?;
    let mut arrived = Vec::new();
    let all = async {
        while arrived.len() < MESSAGES
            && let Some(body) = bodies.recv().await
        {
            if body.starts_with(&format!("{run} ")) {
                arrived.push(body);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await?;
    consumer.stop().await?;
    Ok(arrived)
}
