//! A client within an actix application: its actors run on the application's own arbiter, and one of the application's actors is
//! told of each message.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example embed_client
//! ```

use std::error::Error;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use ferromq::client::{Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Threads, Wanted};
use tokio::sync::oneshot;

/// Waits for one message.
struct Waiting {
    id: String,
    found: Option<oneshot::Sender<()>>,
}

/// A message has come.
#[derive(Message)]
#[rtype(result = "()")]
struct Came {
    id: String,
}

impl Actor for Waiting {
    type Context = Context<Self>;
}

impl Handler<Came> for Waiting {
    type Result = ();

    fn handle(&mut self, came: Came, _: &mut Context<Self>) {
        if came.id == self.id
            && let Some(found) = self.found.take()
        {
            // Whoever waits may have given up.
            let _ = found.send(());
        }
    }
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = ClientOptions { threads: Threads::Here, ..ClientOptions::of_environment()? };
    let client = Client::new(options).await?;
    let producer = client.producer("embed-producer").start().await?;
    let receipt = producer.send(&OutgoingMessage::to("Embedded", "hello")?).await?;

    let (found, is_found) = oneshot::channel();
    let waiting = Waiting { id: receipt.unique_id, found: Some(found) }.start();
    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let listener = move |delivery: Delivery| {
        let waiting = waiting.clone();
        async move {
            for message in &delivery.messages {
                waiting.send(Came { id: message.unique_id().unwrap_or_default().into() }).await?;
            }
            Ok::<_, actix::MailboxError>(())
        }
    };
    let builder = client.push_consumer("embed-consumer").options(options).subscribe("Embedded", Wanted::All);
    let consumer = builder.start(listener).await?;
    tokio::time::timeout(Duration::from_secs(50), is_found).await??;
    consumer.stop().await?;
    producer.stop().await?;
    Ok(())
}
