//! Messages of one order are consumed one after the other, in the order in which they were sent.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example order
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delivery, Order, OutgoingMessage, Wanted};
use tokio::sync::mpsc;

const STEPS: [&str; 4] = ["created", "paid", "shipped", "delivered"];
const ORDERS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("order-producer").start().await?;
    // What tells this run's orders from those of earlier ones.
    let run = client.id().to_owned();
    for step in STEPS {
        for order in 0..ORDERS {
            // One key, one queue; and each send is awaited before the next of its order begins.
            let message = OutgoingMessage::to("OrderSteps", step)?.sharding_key(format!("{run} order {order}"));
            producer.send(&message).await?;
        }
    }

    let options = ConsumerOptions { order: Order::Queue, begin: Begin::First, ..ConsumerOptions::default() };
    let (seen, mut steps) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        for message in &delivery.messages {
            let order = message.property("__SHARDINGKEY").unwrap_or_default().to_owned();
            // The receiver is there until the consumer has stopped.
            let _ = seen.send((order, String::from_utf8_lossy(&message.body).into_owned()));
        }
        std::future::ready(())
    };
    let builder = client.push_consumer("order-consumer").options(options).subscribe("OrderSteps", Wanted::All);
    let consumer = builder.start(listener).await?;

    let mut orders: HashMap<String, Vec<String>> = HashMap::new();
    let all = async {
        while orders.values().map(Vec::len).sum::<usize>() < ORDERS * STEPS.len()
            && let Some((order, step)) = steps.recv().await
        {
            if order.starts_with(&run) {
                orders.entry(order).or_default().push(step);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(50), all).await?;
    consumer.stop().await?;
    producer.stop().await?;
    match orders.into_iter().find(|(_, steps)| *steps != STEPS) {
        Some((order, steps)) => Err(format!("{order} went through {steps:?}").into()),
        None => Ok(()),
    }
}
