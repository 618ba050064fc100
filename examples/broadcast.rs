//! Every member of a group gets all messages.
//!
//! ```text
//! NAMESRV_ADDR=127.0.0.1:9876 cargo run --example broadcast
//! ```

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use ferromq::client::{Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, PushConsumer, Wanted};
use ferromq::protocol::body::heartbeat::MessageModel;
use tokio::sync::mpsc;

/// A member that keeps in a folder how far it has come, and the ids of the messages that it gets.
async fn member(folder: &Path) -> Result<(PushConsumer, mpsc::UnboundedReceiver<String>), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let options = ConsumerOptions { model: MessageModel::Broadcasting, ..ConsumerOptions::default() };
    let (seen, ids) = mpsc::unbounded_channel();
    let listener = move |delivery: Delivery| {
        for message in &delivery.messages {
            // The receiver is there until the consumer has stopped.
            let _ = seen.send(message.unique_id().unwrap_or_default().to_owned());
        }
        std::future::ready(())
    };
    // Members on one machine would share the place otherwise.
    let folder = folder.join(client.id());
    let builder = client.push_consumer("broadcast-consumer").options(options).subscribe("News", Wanted::All);
    Ok((builder.offsets_folder(folder).start(listener).await?, ids))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("ferromq-broadcast-{}", std::process::id()));
    let outcome = run(&folder).await;
    // It is not there if nothing has begun.
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

async fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let producer = client.producer("broadcast-producer").start().await?;
    // The topic is there from the first message on; members begin with what comes later.
    producer.send(&OutgoingMessage::to("News", "an old hat")?).await?;
    let mut members = [member(folder).await?, member(folder).await?];

    let limit = Duration::from_secs(50);
    let mut unheard = vec![None; members.len()];
    let all_have_it = async {
        // Members are ready each at its time: news goes on until all have had the same piece.
        loop {
            let receipt = producer.send(&OutgoingMessage::to("News", "something new")?).await?;
            for ((_, ids), last) in members.iter_mut().zip(&mut unheard) {
                while let Ok(Some(id)) = tokio::time::timeout(Duration::from_millis(200), ids.recv()).await {
                    *last = Some(id);
                    if last.as_deref() == Some(&*receipt.unique_id) {
                        break;
                    }
                }
            }
            if unheard.iter().all(|last| last.as_deref() == Some(&*receipt.unique_id)) {
                return Ok::<_, Box<dyn Error>>(());
            }
        }
    };
    tokio::time::timeout(limit, all_have_it).await??;
    for (member, _) in members {
        member.stop().await?;
    }
    producer.stop().await?;
    Ok(())
}
