//! Requests, and replies to them.

use std::sync::Arc;
use std::time::Duration;

use ferromq::client::{ClientError, Delivery, OutgoingMessage, Wanted};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::inbox::{client, from_the_first};
use crate::raw::LIMIT;
use crate::support::Cluster;

#[actix::test]
async fn a_reply_comes_to_whoever_asked() {
    let cluster = Cluster::start().await;
    let (asking, serving) = (client(&cluster).await, client(&cluster).await);
    let replier = serving.producer("servers").start().await.unwrap();
    let answers = move |delivery: Delivery| {
        let replier = replier.clone();
        async move {
            for message in &delivery.messages {
                let answer = format!("you said {}", String::from_utf8_lossy(&message.body));
                replier.reply(message, answer).await?;
            }
            Ok::<_, ClientError>(())
        }
    };
    let builder = serving.push_consumer("servers").options(from_the_first()).subscribe("Questions", Wanted::All);
    let server = builder.start(answers).await.unwrap();
    let producer = asking.producer("clients").start().await.unwrap();
    let ask = async |text: &str| {
        let question = OutgoingMessage::to("Questions", text.to_owned()).unwrap();
        producer.request(&question, LIMIT).await.unwrap().body
    };
    let (first, second) = tokio::join!(ask("one"), ask("two"));
    assert_eq!([first, second], ["you said one", "you said two"]);
    server.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
async fn a_request_that_nobody_answers_ends_with_its_time() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let producer = client.producer("clients").start().await.unwrap();
    let question = OutgoingMessage::to("Questions", "anybody?").unwrap();
    let error = producer.request(&question, Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(&error, ClientError::NoReply { topic, .. } if topic == "Questions"), "{error}");
    cluster.stop().await;
}

/// Whoever replies has done its work by then, and must not be made to do it again.
#[actix::test]
async fn a_reply_that_comes_too_late_is_none_the_worse() {
    let cluster = Cluster::start().await;
    let (asking, serving) = (client(&cluster).await, client(&cluster).await);
    let replier = serving.producer("servers").start().await.unwrap();
    let (began, gave_up) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, mut told) = mpsc::unbounded_channel();
    let (begins, waits) = (Arc::clone(&began), Arc::clone(&gave_up));
    let answers = move |delivery: Delivery| {
        let (replier, tell) = (replier.clone(), tell.clone());
        let (begins, waits) = (Arc::clone(&begins), Arc::clone(&waits));
        async move {
            begins.notify_one();
            waits.notified().await;
            tell.send(replier.reply(&delivery.messages[0], "too late").await).unwrap();
        }
    };
    let builder = serving.push_consumer("servers").options(from_the_first()).subscribe("Questions", Wanted::All);
    let server = builder.start(answers).await.unwrap();
    let producer = asking.producer("clients").start().await.unwrap();
    let question = OutgoingMessage::to("Questions", "quick?").unwrap();
    tokio::select! {
        answered = producer.request(&question, LIMIT) => panic!("{answered:?}"),
        () = began.notified() => gave_up.notify_one(),
    }
    let replied = timeout(LIMIT, told.recv()).await.unwrap().unwrap();
    assert!(replied.is_ok(), "{replied:?}");
    server.stop().await.unwrap();
    cluster.stop().await;
}

/// A client that consumes from the topic has its route already, and its brokers must hear of the producer all the same.
#[actix::test]
async fn one_client_may_ask_itself() {
    let cluster = Cluster::start().await;
    let client = client(&cluster).await;
    let replier = client.producer("servers").start().await.unwrap();
    replier.send(&OutgoingMessage::to("Questions", "makes the topic").unwrap()).await.unwrap();
    let own = replier.clone();
    let answers = move |delivery: Delivery| {
        let replier = own.clone();
        async move {
            for message in &delivery.messages {
                // What made the topic is no request.
                let _ = replier.reply(message, "yes").await;
            }
        }
    };
    let builder = client.push_consumer("servers").options(from_the_first()).subscribe("Questions", Wanted::All);
    let server = builder.start(answers).await.unwrap();
    let producer = client.producer("clients").start().await.unwrap();
    let reply = producer.request(&OutgoingMessage::to("Questions", "?").unwrap(), LIMIT).await.unwrap();
    assert_eq!(reply.body, "yes");
    server.stop().await.unwrap();
    cluster.stop().await;
}
