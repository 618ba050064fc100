//! A client finds its name servers in a list or through an address server, and goes from one that is gone to the next.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferromq::broker::name_servers::AddressServer;
use ferromq::client::{Client, ClientError, ClientOptions, Discovery, OutgoingMessage};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fake_broker::{FakeBroker, reply, route_reply};

/// A name server of a topic whose one queue is at a broker of its own.
async fn name_server() -> FakeBroker {
    let broker = FakeBroker::start_for_clients(|command, _| {
        let mut ext = ExtFields::builder();
        ext.push("msgId", "ID").push("queueId", 0).push("queueOffset", 0);
        Some(vec![reply(command, response::SUCCESS).with_ext(ext.build())])
    })
    .await;
    let address = broker.address;
    FakeBroker::start(move |command: &Command, _| Some(vec![route_reply(command, &address, 1)])).await
}

/// An address server that answers with what is put here.
async fn address_server(answer: Arc<Mutex<String>>) -> AddressServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let domain = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 1024];
            let _ = stream.read(&mut question).await;
            let body = answer.lock().unwrap().clone();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    AddressServer { every: Duration::from_millis(10), ..AddressServer::at(&domain, "nsaddr") }
}

fn message(topic: &str) -> OutgoingMessage {
    OutgoingMessage::to(topic, "x").unwrap()
}

fn asked(name_server: &FakeBroker) -> usize {
    name_server.received(request::GET_ROUTEINFO_BY_TOPIC).len()
}

#[tokio::test]
async fn an_address_server_is_asked_now_and_again() {
    let (first, second) = (name_server().await, name_server().await);
    let answer = Arc::new(Mutex::new(first.address.clone()));
    let server = address_server(answer.clone()).await;
    let client = Client::new(ClientOptions::of(Discovery::AddressServer(server))).await.unwrap();
    let producer = client.producer("G").start().await.unwrap();
    producer.send(&message("T0")).await.unwrap();
    assert_eq!((asked(&first), asked(&second)), (1, 0));
    answer.lock().unwrap().clone_from(&second.address);
    let moved = async {
        // Each topic's route is asked for once; that of one of them is asked of the other name server.
        for number in 1.. {
            producer.send(&message(&format!("T{number}"))).await.unwrap();
            if asked(&second) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), moved).await.expect("the other name server is asked");
}

#[tokio::test]
async fn an_address_server_that_names_none_is_an_error_that_says_so() {
    let server = address_server(Arc::new(Mutex::new("nothing here".into()))).await;
    let url = server.url.clone();
    let error = Client::new(ClientOptions::of(Discovery::AddressServer(server))).await.err().unwrap().to_string();
    assert_eq!(
        error,
        format!("the address server {url} names no name servers: expected host:port;host:port, found \"nothing here\"")
    );
}

#[tokio::test]
async fn a_name_server_that_is_gone_is_passed_over() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let there = name_server().await;
    let client = Client::new(ClientOptions::of(format!("{gone}; {}", there.address))).await.unwrap();
    let producer = client.producer("G").start().await.unwrap();
    producer.send(&message("T")).await.unwrap();
    assert_eq!(asked(&there), 1);
    for (list, means) in [("", "no name server is given"), ("one two", "expected host:port;host:port")] {
        let error = Client::new(ClientOptions::of(list)).await.err().unwrap();
        assert!(matches!(error, ClientError::NoNameServer | ClientError::NameServers(_)), "{error:?}");
        assert!(error.to_string().contains(means), "{error}");
    }
}
