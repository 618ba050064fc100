//! What was stored though nobody heard of it, and is sent again from the spool, is known again by its key.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::client::{Client, ClientOptions, OutgoingMessage, SpoolOptions};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::properties::find;

use crate::fake_broker::{FakeBroker, reply};
use crate::inbox::numbered;
use crate::place::{Place, drained, message, spool, trying_once};
use crate::raw::Raw;
use crate::topics::make;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A power cut may take back that messages were sent: then all of them are sent a second time.
#[actix::test]
async fn a_spool_that_is_sent_twice() {
    let place = Place::new();
    let cluster = place.start().await;
    make(&mut Raw::connect(cluster.broker.address()).await, "Orders").await;
    cluster.stop().await;
    let producer = place.producer().await;
    spool(&producer, &numbered(0..30)).await;
    producer.stop().await.unwrap();
    let before = tempfile::tempdir().unwrap();
    copy(&place.spool_directory(), before.path());
    let cluster = place.start().await;
    for _ in 0..2 {
        let producer = place.producer().await;
        drained(&producer).await;
        producer.stop().await.unwrap();
        std::fs::remove_dir_all(place.spool_directory()).unwrap();
        copy(before.path(), &place.spool_directory());
    }
    let client = place.client().await.producer("last").start().await.unwrap();
    client.send(&message("message 0030")).await.unwrap();
    assert_eq!(place.stored("Orders", 31).await, numbered(0..31));
    cluster.stop().await;
}

fn key_of(send: &Command, name: &str) -> String {
    find(&send.ext.required("i").unwrap(), name).unwrap_or_default().to_owned()
}

/// The broker takes the first try in, and its answer is lost.
#[tokio::test]
async fn the_second_try_has_the_keys_of_the_first() {
    let heard = AtomicBool::new(false);
    let broker = FakeBroker::with_route(2, move |command, _| {
        let mut ext = ExtFields::builder();
        ext.push("msgId", "ID").push("queueId", 0).push("queueOffset", 41);
        heard.swap(true, Ordering::SeqCst).then(|| vec![reply(command, response::SUCCESS).with_ext(ext.build())])
    });
    let (broker, directory) = (broker.await, tempfile::tempdir().unwrap());
    let client = Client::new(ClientOptions::of(&broker.address)).await.unwrap();
    let builder = client.producer("writers").options(trying_once());
    let producer = builder.start_spooled(SpoolOptions::at(directory.path())).await.unwrap();
    spool(&producer, &["one".into()]).await;
    drained(&producer).await;
    let named = OutgoingMessage::to("Orders", "two").unwrap().property("IDEMPOTENCE_KEY", "order-2");
    producer.send(&named).await.unwrap();
    let sends = broker.received(request::SEND_MESSAGE_V2);
    let keys: Vec<_> = sends.iter().map(|send| key_of(send, "IDEMPOTENCE_KEY")).collect();
    let ids: Vec<_> = sends.iter().map(|send| key_of(send, "UNIQ_KEY")).collect();
    assert!(ids[0].len() == 32 && ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    assert_eq!(keys, [ids[0].as_str(), &ids[0], "order-2"]);
}
