//! A request that a consumer answers.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example request_reply
//! ```

use std::error::Error;
use std::time::Duration;

use ferromq::client::{Begin, Client, ClientError, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Wanted};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let serving = Client::new(ClientOptions::of_environment()?).await?;
    let replier = serving.producer("request-server").start().await?;
    let own = replier.clone();
    let answer = move |delivery: Delivery| {
        let replier = own.clone();
        async move {
            for message in &delivery.messages {
                let text = String::from_utf8_lossy(&message.body).to_uppercase();
                replier.reply(message, text).await?;
            }
            Ok::<_, ClientError>(())
        }
    };
    let options = ConsumerOptions { begin: Begin::First, ..ConsumerOptions::default() };
    let builder = serving.push_consumer("request-server").options(options).subscribe("Requests", Wanted::All);
    let server = builder.start(answer).await?;

    let asking = Client::new(ClientOptions::of_environment()?).await?;
    let producer = asking.producer("request-client").start().await?;
    let reply = producer.request(&OutgoingMessage::to("Requests", "hello")?, Duration::from_secs(50)).await?;
    server.stop().await?;
    replier.stop().await?;
    producer.stop().await?;
    if reply.body == "HELLO" { Ok(()) } else { Err(format!("the reply was {:?}", reply.body).into()) }
}
