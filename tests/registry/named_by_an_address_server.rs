//! A broker asks an address server for its name servers: what it names replaces what was known, and what is no list of
//! name servers changes nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};
use ferromq::broker::name_servers::AddressServer;
use ferromq::protocol::codes::{request, response};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::member::{body, succeeds};
use crate::raw::{LIMIT, Raw, ask_for, send_to};
use crate::support::{free_port, small, wait_until};

/// How often the broker asks and registers.
const OFTEN: Duration = Duration::from_millis(20);

/// What an address server answers.
#[derive(Clone)]
enum Answer {
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// The head of an answer and a body without end.
    Endless,
    /// Nothing, and no end either.
    Silence,
}

/// An address server of the test.
struct Answering {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    /// The first line of each question.
    questions: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    async fn start(answer: Answer) -> Self {
        Self::on(TcpListener::bind(free_port()).await.unwrap(), answer)
    }

    fn on(listener: TcpListener, answer: Answer) -> Self {
        let (answer, questions) = (Arc::new(Mutex::new(answer)), Arc::<Mutex<Vec<String>>>::default());
        let served = Self { address: listener.local_addr().unwrap(), answer, questions };
        let (answer, questions) = (Arc::clone(&served.answer), Arc::clone(&served.questions));
        actix::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                actix::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&questions)));
            }
        });
        served
    }

    fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }

    /// Answers otherwise from now on, and waits until the broker has done something about that: it asks one question after
    /// the other.
    async fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
        let before = self.asked();
        wait_until(LIMIT, "the broker goes on asking", || self.asked() >= before + 3).await;
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, questions: Arc<Mutex<Vec<String>>>) {
    let mut question = Vec::new();
    while !question.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut question).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let answer = answer.lock().unwrap().clone();
    let question = String::from_utf8(question).unwrap();
    questions.lock().unwrap().push(question.lines().next().unwrap().into());
    // The broker may have given the answer up.
    let _ = match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await,
        Answer::Endless => {
            let mut bytes = ok("").into_bytes();
            while stream.write_all(&bytes).await.is_ok() {
                bytes = b"a:1;".repeat(64);
            }
            Ok(())
        }
        Answer::Silence => stream.read_to_end(&mut Vec::new()).await.map(|_| ()),
    };
}

/// An answer that ends with its connection.
fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{body}")
}

fn naming(name_servers: &[&Namesrv]) -> Answer {
    let addresses: Vec<_> = name_servers.iter().map(|name_server| name_server.address().to_string()).collect();
    Answer::Bytes(ok(&format!("{}\r\n", addresses.join(";"))).into())
}

async fn name_server(directory: &TempDir, name: &str) -> Namesrv {
    let options = NamesrvOptions { listen: free_port(), ..NamesrvOptions::at(directory.path().join(name)) };
    Namesrv::builder(options).start().await.unwrap()
}

/// A broker that asks at `address`, often, and gives an answer `limit`.
async fn broker_that_asks(directory: &TempDir, address: SocketAddr, limit: Duration) -> Broker {
    let address_server =
        AddressServer { first_after: OFTEN, every: OFTEN, limit, ..AddressServer::at(&address.to_string(), "nsaddr") };
    let options = BrokerOptions {
        address_server: Some(address_server),
        register_every: OFTEN,
        register_limit: 10 * OFTEN,
        ..small(directory)
    };
    Broker::builder(options).start().await.unwrap()
}

/// The name server leads to the broker's topic, sooner or later.
async fn comes_to_know(name_server: &Namesrv, broker: &Broker, topic: &str) {
    let mut client = Raw::connect(name_server.address()).await;
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &topic)]);
    let route = body(&client.ask_until(route, |reply| reply.code == response::SUCCESS).await);
    assert_eq!(route["brokerDatas"][0]["brokerAddrs"], json!({"0": broker.address().to_string()}));
}

async fn knows_somebody(name_server: &Namesrv) -> bool {
    let mut client = Raw::connect(name_server.address()).await;
    let clusters = succeeds(&mut client, ask_for(request::GET_BROKER_CLUSTER_INFO, &[])).await;
    body(&clusters)["brokerAddrTable"] != json!({})
}

async fn make_topic(broker: &Broker, topic: &str) {
    let sent = Raw::connect(broker.address()).await.ask(send_to(topic, 0, "", "x")).await;
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
}

#[actix::test]
async fn the_named_ones_come_to_know_it_and_another_list_replaces_them() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (name_server(&directory, "first").await, name_server(&directory, "second").await);
    let third = name_server(&directory, "third").await;
    let asked = Answering::start(naming(&[&first, &second])).await;
    let broker = broker_that_asks(&directory, asked.address, LIMIT).await;
    comes_to_know(&first, &broker, "TBW102").await;
    comes_to_know(&second, &broker, "TBW102").await;
    assert_eq!(asked.questions.lock().unwrap()[0], "GET /rocketmq/nsaddr HTTP/1.1");
    asked.answers(naming(&[&second, &third])).await;
    comes_to_know(&third, &broker, "TBW102").await;
    make_topic(&broker, "Made").await;
    comes_to_know(&second, &broker, "Made").await;
    comes_to_know(&third, &broker, "Made").await;
    // Who is named no more is told nothing more, not even goodbye: it forgets who is silent.
    let mut client = Raw::connect(first.address()).await;
    let route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"Made")]);
    assert_eq!(client.ask(route).await.code, response::TOPIC_NOT_EXIST);
    assert!(knows_somebody(&first).await);
    broker.stop().await.unwrap();
    assert!(!knows_somebody(&second).await && !knows_somebody(&third).await);
    for name_server in [first, second, third] {
        name_server.stop().await;
    }
}

#[actix::test]
async fn what_is_no_list_leaves_the_known_one() {
    let directory = tempfile::tempdir().unwrap();
    let (known, other) = (name_server(&directory, "known").await, name_server(&directory, "other").await);
    let asked = Answering::start(naming(&[&known])).await;
    let broker = broker_that_asks(&directory, asked.address, 10 * OFTEN).await;
    comes_to_know(&known, &broker, "TBW102").await;
    let other_address = other.address();
    let with_status = |status: &str| ok(&other_address.to_string()).replacen("200 OK", status, 1);
    let too_long = format!("{other_address};").repeat(2_000);
    let wrong = [
        ("Empty", Answer::Bytes(ok("").into())),
        ("Blank", Answer::Bytes(ok("  \r\n").into())),
        ("Page", Answer::Bytes(ok("<html>no such page</html>").into())),
        ("HalfOfIt", Answer::Bytes(ok(&format!("{other_address};10.0.0.1")).into())),
        ("NotUtf8", Answer::Bytes([ok("").as_bytes(), b"\xff\xfe:1"].concat())),
        ("Missing", Answer::Bytes(with_status("404 Not Found").into())),
        ("Broken", Answer::Bytes(with_status("500 Internal Server Error").into())),
        ("Partial", Answer::Bytes(with_status("206 Partial Content").into())),
        ("NoHttp", Answer::Bytes(other_address.to_string().into())),
        ("Nothing", Answer::Bytes(Vec::new())),
        ("TooLong", Answer::Bytes(ok(&too_long).into())),
        ("Endless", Answer::Endless),
        ("Silence", Answer::Silence),
    ];
    for (topic, answer) in wrong {
        asked.answers(answer).await;
        make_topic(&broker, topic).await;
        comes_to_know(&known, &broker, topic).await;
        assert!(!knows_somebody(&other).await, "{topic}");
    }
    asked.answers(naming(&[&other])).await;
    comes_to_know(&other, &broker, "Silence").await;
    broker.stop().await.unwrap();
    known.stop().await;
    other.stop().await;
}

#[actix::test]
async fn one_that_cannot_be_reached_at_first_is_asked_until_it_answers() {
    let directory = tempfile::tempdir().unwrap();
    let named = name_server(&directory, "named").await;
    let listener = TcpListener::bind(free_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let broker = broker_that_asks(&directory, address, LIMIT).await;
    // It serves meanwhile, and asks in vain: nobody hears of that, so it is given the time for some attempts.
    let mut turns = tokio::time::interval(OFTEN);
    for turn in 0..10 {
        turns.tick().await;
        make_topic(&broker, &format!("Unknown{turn}")).await;
    }
    let _asked = Answering::on(TcpListener::bind(address).await.unwrap(), naming(&[&named]));
    comes_to_know(&named, &broker, "Unknown9").await;
    broker.stop().await.unwrap();
    assert!(!knows_somebody(&named).await);
    named.stop().await;
}

#[actix::test]
async fn a_silent_one_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let asked = Answering::start(Answer::Silence).await;
    let broker = timeout(LIMIT, broker_that_asks(&directory, asked.address, 10 * LIMIT)).await.expect("it starts");
    wait_until(LIMIT, "it asks", || asked.asked() > 0).await;
    make_topic(&broker, "Served").await;
    timeout(LIMIT, broker.stop()).await.expect("it stops").unwrap();
}

#[actix::test]
async fn nobody_is_asked_where_name_servers_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (named, other) = (name_server(&directory, "named").await, name_server(&directory, "other").await);
    let asked = Answering::start(naming(&[&other])).await;
    let options = BrokerOptions {
        name_servers: vec![named.address().to_string()],
        address_server: Some(AddressServer {
            first_after: Duration::ZERO,
            every: OFTEN,
            ..AddressServer::at(&asked.address.to_string(), "nsaddr")
        }),
        register_every: OFTEN,
        ..small(&directory)
    };
    let broker = Broker::builder(options).start().await.unwrap();
    for topic in ["First", "Second", "Third"] {
        make_topic(&broker, topic).await;
        comes_to_know(&named, &broker, topic).await;
    }
    assert_eq!((asked.asked(), knows_somebody(&other).await), (0, false));
    broker.stop().await.unwrap();
    named.stop().await;
    other.stop().await;
}
