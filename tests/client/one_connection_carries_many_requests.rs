use std::sync::Mutex;
use std::time::Duration;

use ferromq::client::{ClientError, Connection, Connections, Limits};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use ferromq::protocol::units::Opaque;

use crate::fake_broker::{FakeBroker, reply};

const LONG: Duration = Duration::from_secs(10);
/// Long enough for an answer on loopback.
const SHORT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn replies_in_another_order_find_their_requests() {
    // Ten requests are kept back and answered from the last to the first.
    let kept = Mutex::new(Vec::new());
    let broker = FakeBroker::start(move |command, _| {
        let mut kept = kept.lock().unwrap();
        kept.push(reply(command, response::SUCCESS).with_remark(command.code.to_string()));
        Some(if kept.len() == 10 { kept.drain(..).rev().collect() } else { Vec::new() })
    })
    .await;
    let connection = Connection::open(&broker.address, Limits::default()).await.unwrap();
    let calls = (100..110).map(|code| {
        let connection = connection.clone();
        tokio::spawn(async move { connection.call(Command::request(code), LONG).await.unwrap().remark })
    });
    let calls: Vec<_> = calls.collect();
    for (call, code) in calls.into_iter().zip(100..) {
        assert_eq!(call.await.unwrap(), Some(code.to_string()));
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_ends_alone() {
    let broker = FakeBroker::start(|command, number| {
        Some(if number == 0 { Vec::new() } else { vec![reply(command, response::SUCCESS)] })
    })
    .await;
    let connection = Connection::open(&broker.address, Limits::default()).await.unwrap();
    let silent = connection.request(Command::request(request::HEART_BEAT), SHORT);
    let next = async {
        // The first one is on its way; this one is answered while it waits.
        connection.call(Command::request(request::HEART_BEAT), LONG).await
    };
    let (silent, next) = tokio::join!(silent, next);
    assert!(matches!(silent, Err(ClientError::Timeout { code: request::HEART_BEAT, .. })), "{silent:?}");
    assert!(next.is_ok() && !connection.is_closed());
}

/// A firewall that has forgotten the connection does not say so.
#[tokio::test]
async fn a_connection_that_says_nothing_any_more_is_given_up() {
    let broker = FakeBroker::start(|_, _| Some(Vec::new())).await;
    let connections = Connections::new(Limits::default());
    let first = connections.to(&broker.address).await.unwrap();
    let silent = first.request(Command::request(request::HEART_BEAT), Duration::ZERO).await;
    assert!(matches!(silent, Err(ClientError::Timeout { .. })), "{silent:?}");
    assert!(first.is_closed());
    assert!(!connections.to(&broker.address).await.unwrap().is_closed());
}

#[tokio::test]
async fn the_end_of_the_socket_ends_all_calls() {
    let broker = FakeBroker::start(|_, number| (number < 1).then(Vec::new)).await;
    let connection = Connection::open(&broker.address, Limits::default()).await.unwrap();
    let call = || connection.request(Command::request(request::HEART_BEAT), LONG);
    let (first, second) = tokio::join!(call(), call());
    assert!(matches!((first, second), (Err(ClientError::Closed { .. }), Err(ClientError::Closed { .. }))));
    assert!(connection.is_closed() && matches!(call().await, Err(ClientError::Closed { .. })));
}

#[tokio::test]
async fn a_refusal_carries_its_code_and_words() {
    let broker =
        FakeBroker::start(|command, _| Some(vec![reply(command, response::NO_PERMISSION).with_remark("not you")]))
            .await;
    let connection = Connection::open(&broker.address, Limits::default()).await.unwrap();
    let error = connection.call(Command::request(request::HEART_BEAT), LONG).await.unwrap_err();
    assert_eq!(error.refusal(), Some(response::NO_PERMISSION));
    assert!(error.to_string().contains("not you"), "{error}");
}

#[tokio::test]
async fn a_request_of_the_server_is_answered_that_it_is_not_supported() {
    // The server asks something first; its own request is answered only when that answer has come.
    let broker = FakeBroker::start(|command, number| {
        Some(match number {
            0 => vec![Command::request(request::GET_CONSUMER_RUNNING_INFO).with_opaque(Opaque(77))],
            _ => vec![Command::reply(response::SUCCESS, Opaque(0)).with_remark(format!(
                "{} {} {}",
                command.code,
                command.opaque,
                command.is_reply()
            ))],
        })
    })
    .await;
    let connection = Connection::open(&broker.address, Limits::default()).await.unwrap();
    let answer = connection.call(Command::request(request::HEART_BEAT), LONG).await.unwrap();
    assert_eq!(answer.remark.as_deref(), Some("3 77 true"));
}

#[tokio::test]
async fn nobody_there_is_an_error_that_says_where() {
    // The port was free a moment ago and nobody listens on it now.
    let address = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let error = Connection::open(&address, Limits::default()).await.unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
}
