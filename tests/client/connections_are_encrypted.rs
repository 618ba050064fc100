//! Connections over TLS: who is believed, and what is said when it does not work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferromq::client::{
    Client, ClientError, ClientOptions, Connection, ConnectionOptions, Identity, Limits, OutgoingMessage, Tls,
    TlsOptions, Trust,
};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::authority::{Authority, each_connection};
use crate::fake_broker::{FakeBroker, reply, route_reply};

const LIMIT: Duration = Duration::from_secs(20);

async fn echo() -> FakeBroker {
    FakeBroker::start(|command, _| Some(vec![reply(command, response::SUCCESS).with_body(command.body.clone())])).await
}

/// Believes the authority alone.
fn trusted(authority: &Authority) -> TlsOptions {
    TlsOptions { trust: Trust::AuthoritiesIn(authority.pem()), ..TlsOptions::default() }
}

async fn open(address: &str, options: &TlsOptions) -> Result<Connection, ClientError> {
    let limits = Limits { connect_timeout: LIMIT, ..Limits::default() };
    let tls = Some(Tls::new(options).unwrap());
    Connection::open(address, ConnectionOptions { limits, tls, ..ConnectionOptions::default() }).await
}

/// A request and its reply, both long.
async fn check_talks(connection: &Connection) {
    let asked = Command::request(request::HEART_BEAT).with_body(vec![7; 1 << 20].into());
    let reply = connection.request(asked.clone(), LIMIT).await.unwrap();
    assert_eq!((reply.code, reply.body), (response::SUCCESS, asked.body));
}

/// Why there is no connection.
async fn check_refused(address: &str, options: &TlsOptions, reason: &str) {
    let error = open(address, options).await.err().unwrap();
    assert!(error.is_of_transport(), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("no encrypted connection to {address}: ")), "{text}");
    assert!(text.contains(reason), "{text}");
}

#[actix::test]
async fn to_a_server_of_a_trusted_authority() {
    let (authority, broker) = (Authority::new(), echo().await);
    let address = authority.before(&broker.address, authority.certify("127.0.0.1"), false).await;
    check_talks(&open(&address, &trusted(&authority)).await.unwrap()).await;
}

#[actix::test]
async fn of_everything_that_a_client_talks_to() {
    let authority = Authority::new();
    let routed = Arc::new(Mutex::new(String::new()));
    let address = routed.clone();
    let broker = FakeBroker::start_for_clients(move |command, _| {
        if command.code == request::GET_ROUTEINFO_BY_TOPIC {
            return Some(vec![route_reply(command, &address.lock().unwrap(), 1)]);
        }
        let mut ext = ExtFields::builder();
        ext.push("msgId", "ID").push("queueId", 0).push("queueOffset", 0);
        Some(vec![reply(command, response::SUCCESS).with_ext(ext.build())])
    })
    .await;
    let front = authority.before(&broker.address, authority.certify("127.0.0.1"), false).await;
    routed.lock().unwrap().clone_from(&front);
    let options = ClientOptions { tls: Some(trusted(&authority)), ..ClientOptions::of(&*front) };
    let producer = Client::new(options).await.unwrap().producer("writers").start().await.unwrap();
    producer.send(&OutgoingMessage::to("Orders", "secret").unwrap()).await.unwrap();
    assert_eq!(broker.received(request::SEND_MESSAGE_V2).len(), 1);
}

#[actix::test]
async fn not_to_a_server_whose_authority_nobody_knows() {
    let (ours, broker) = (Authority::named("ours"), echo().await);
    for theirs in [Authority::named("theirs"), Authority::named("ours")] {
        let address = theirs.before(&broker.address, theirs.certify("127.0.0.1"), false).await;
        check_refused(&address, &trusted(&ours), "name the authority's certificate with `Trust::AuthoritiesIn`").await;
    }
}

#[actix::test]
async fn not_to_a_server_of_another_name_unless_that_is_said() {
    let (authority, broker) = (Authority::new(), echo().await);
    let address = authority.before(&broker.address, authority.certify("broker.example"), false).await;
    let mut options = trusted(&authority);
    check_refused(&address, &options, "set `server_name` to a name that is in it").await;
    options.server_name = Some("other.example".into());
    check_refused(&address, &options, "set `server_name` to a name that is in it").await;
    options.server_name = Some("broker.example".into());
    check_talks(&open(&address, &options).await.unwrap()).await;
}

#[actix::test]
async fn to_any_server_if_a_test_wants_it() {
    let (authority, broker) = (Authority::new(), echo().await);
    let address = authority.before(&broker.address, authority.certify("broker.example"), false).await;
    let options = TlsOptions { trust: Trust::AnyCertificateForTestsOnly, ..TlsOptions::default() };
    check_talks(&open(&address, &options).await.unwrap()).await;
}

#[actix::test]
async fn not_to_servers_that_speak_plain_text() {
    let authority = Authority::new();
    let closes = each_connection(|stream| async { drop(stream) }).await;
    let talks = each_connection(|mut stream| async move {
        let _ = stream.write_all(b"220 what do you want?\r\n").await;
        // It waits for an answer, which it does not understand.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    for address in [closes, talks] {
        check_refused(&address, &trusted(&authority), "leave `tls` out of the client's options").await;
    }
}

#[actix::test]
async fn not_to_a_server_that_says_nothing() {
    let silent = each_connection(|mut stream| async move {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let limits = Limits { connect_timeout: Duration::from_millis(50), ..Limits::default() };
    let tls = Some(Tls::new(&trusted(&Authority::new())).unwrap());
    let opening = Connection::open(&silent, ConnectionOptions { limits, tls, ..ConnectionOptions::default() });
    let opened = timeout(LIMIT, opening).await.unwrap();
    assert!(matches!(opened, Err(ClientError::Connect { .. })), "{opened:?}");
}

#[actix::test]
async fn to_a_server_that_wants_to_know_its_clients() {
    let (authority, broker) = (Authority::new(), echo().await);
    let address = authority.before(&broker.address, authority.certify("127.0.0.1"), true).await;
    let known = TlsOptions { identity: Some(authority.certify("client").files), ..trusted(&authority) };
    check_talks(&open(&address, &known).await.unwrap()).await;
    // Since TLS 1.3 a client learns after its first words that it was refused.
    let unknown = open(&address, &trusted(&authority)).await.unwrap();
    let refused = unknown.request(Command::request(request::HEART_BEAT), LIMIT).await.unwrap_err();
    assert!(matches!(refused, ClientError::Closed { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("it may want the client's certificate, see `identity`"), "{text}");
}

/// What is said of options that cannot be used.
#[track_caller]
fn check_unusable(options: &TlsOptions, reason: &str) {
    let text = Tls::new(options).unwrap_err().to_string();
    assert!(text.starts_with("connections cannot be encrypted as the options say: "), "{text}");
    assert!(text.contains(reason), "{text}");
}

#[test]
fn options_that_cannot_be_used_are_told() {
    let authority = Authority::new();
    let with = |trust: Trust| TlsOptions { trust, ..TlsOptions::default() };
    let (missing, empty) = (authority.path("missing"), authority.file("empty", "nothing"));
    check_unusable(&with(Trust::AuthoritiesIn(missing)), "missing: ");
    check_unusable(&with(Trust::AuthoritiesIn(empty.clone())), "empty: there is none");
    let (one, other) = (authority.certify("one").files, authority.certify("other").files);
    let keyless = Identity { key: empty, ..one.clone() };
    check_unusable(&TlsOptions { identity: Some(keyless), ..trusted(&authority) }, "no key can be taken from");
    let mixed = Identity { key: other.key, ..one };
    check_unusable(&TlsOptions { identity: Some(mixed), ..trusted(&authority) }, "keys may not be consistent");
    let nameless = TlsOptions { server_name: Some("no name".into()), ..trusted(&authority) };
    check_unusable(&nameless, r#""no name" is no server name"#);
}
