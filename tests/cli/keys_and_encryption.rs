//! Commands before servers that ask who they are, or that speak TLS only.

use std::sync::{Arc, Mutex};

use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, ExtFields};
use ferromq::protocol::signature::Credentials;

use crate::authority::{Authority, each_connection};
use crate::binary::{Ferromq, Ran, contains};
use crate::fake_broker::{FakeBroker, reply, route_reply};

const ACCESS_KEY: &str = "RocketMQ";
const SECRET_KEY: &str = "12345678";
const KEYS: &str = "accessKey: RocketMQ\nsecretKey: 12345678\n";
/// The fields that signing adds.
const ADDED: [&str; 3] = ["AccessKey", "SecurityToken", "Signature"];

/// A name server and broker that answers what is signed with its keys, and says of what is not what RocketMQ's says.
async fn guarded() -> Site {
    let routed = Arc::new(Mutex::new(String::new()));
    let address = routed.clone();
    let broker = FakeBroker::start_for_clients(move |command, _| {
        if let Some(fault) = fault_in(command) {
            let remark = format!("org.apache.rocketmq.acl.common.AclException: {fault}, PlainPermissionManager.java");
            return Some(vec![reply(command, response::SYSTEM_ERROR).with_remark(remark)]);
        }
        Some(vec![answer(command, &address.lock().unwrap())])
    })
    .await;
    routed.lock().unwrap().clone_from(&broker.address);
    Site { address: broker.address, routed, ferromq: Arc::new(Ferromq::new().with_file("keys.yml", KEYS)) }
}

fn answer(command: &Command, address: &str) -> Command {
    let mut ext = ExtFields::builder();
    match command.code {
        request::GET_ROUTEINFO_BY_TOPIC => return route_reply(command, address, 1),
        request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => {
            return reply(command, response::SUCCESS).with_body("{\"topicList\":[\"Orders\"]}".into());
        }
        request::PULL_MESSAGE => {
            ext.push("suggestWhichBrokerId", 0).push("nextBeginOffset", 0).push("minOffset", 0).push("maxOffset", 0);
            return reply(command, response::PULL_NOT_FOUND).with_ext(ext.build());
        }
        request::GET_MIN_OFFSET => ext.push("offset", 0),
        _ => ext.push("msgId", "ID").push("queueId", 0).push("queueOffset", 0),
    };
    reply(command, response::SUCCESS).with_ext(ext.build())
}

/// Why a request is not of whom it may be of.
fn fault_in(command: &Command) -> Option<String> {
    let Some(key) = command.ext.get(ADDED[0]) else { return Some("No accessKey is configured".into()) };
    if key != ACCESS_KEY {
        return Some(format!("No acl config for {key}"));
    }
    let mut ext = ExtFields::builder();
    for (name, value) in command.ext.iter().filter(|(name, _)| !ADDED.contains(name)) {
        ext.push(name, &value);
    }
    let keys = Credentials { access_key: ACCESS_KEY.into(), secret_key: SECRET_KEY.into(), security_token: None };
    let again = keys.sign(Command::request(command.code).with_ext(ext.build()).with_body(command.body.clone()));
    let is_signed = again.ext.get(ADDED[2]) == command.ext.get(ADDED[2]);
    (!is_signed).then(|| format!("Check signature failed for accessKey={key}"))
}

/// The server, and a directory beside it with a file of its keys.
struct Site {
    address: String,
    /// Where the route says that the broker is.
    routed: Arc<Mutex<String>>,
    ferromq: Arc<Ferromq>,
}

impl Site {
    /// Has the server take TLS only.
    async fn behind(mut self, authority: &Authority, name: &str, wants_clients_known: bool) -> Self {
        self.address = authority.before(&self.address, authority.certify(name), wants_clients_known).await;
        self.routed.lock().unwrap().clone_from(&self.address);
        self
    }

    async fn run(&self, command: &str, environment: &'static [(&'static str, &'static str)]) -> Ran {
        let (ferromq, command) = (self.ferromq.clone(), format!("{command} -n {}", self.address));
        tokio::task::spawn_blocking(move || ferromq.run_in_environment(&command, environment)).await.unwrap()
    }

    async fn prints(&self, command: &str, environment: &'static [(&'static str, &'static str)], part: &str) {
        let ran = self.run(command, environment).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command}: {}", ran.out);
        contains(&ran.out, part);
    }

    async fn fails(&self, command: &str, code: i32, parts: &[&str]) {
        let ran = self.run(command, &[]).await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{command}: {}", ran.err);
        ["error: "].iter().chain(parts).for_each(|part| contains(&ran.err, part));
    }
}

#[actix::test]
async fn requests_are_signed_by_every_command() {
    let site = guarded().await;
    site.prints("admin topicList --credentials keys.yml", &[], "Orders").await;
    site.prints("admin sendMessage -t Orders -p hello --credentials keys.yml", &[], "ID").await;
    site.prints("produce -t Orders --body hello --credentials keys.yml", &[], "queue 0 offset 0").await;
    site.prints("consume -t Orders --credentials keys.yml", &[], "").await;
}

#[actix::test]
async fn keys_are_found_in_the_environment_and_where_rocketmq_is() {
    const KEYS: &[(&str, &str)] = &[("FERROMQ_ACCESS_KEY", ACCESS_KEY), ("FERROMQ_SECRET_KEY", SECRET_KEY)];
    const HOME: &[(&str, &str)] = &[("ROCKETMQ_HOME", "rocketmq")];
    const BOTH: &[(&str, &str)] =
        &[("ROCKETMQ_HOME", "rocketmq"), ("FERROMQ_ACCESS_KEY", "not-known"), ("FERROMQ_SECRET_KEY", "12345678")];
    let site = guarded().await;
    site.prints("admin topicList", KEYS, "Orders").await;
    // It need not be there.
    contains(&site.run("admin topicList", HOME).await.err, "No accessKey is configured");
    let place = site.ferromq.path().join("rocketmq/conf");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("tools.yml"), "accessKey: RocketMQ\nsecretKey: \"12345678\"\n").unwrap();
    site.prints("admin topicList", HOME, "Orders").await;
    contains(&site.run("admin topicList", BOTH).await.err, "No acl config for not-known");
    site.prints("admin topicList --credentials keys.yml", BOTH, "Orders").await;
}

#[actix::test]
async fn who_is_refused_is_told_what_to_do() {
    let site = guarded().await;
    for command in ["admin topicList", "produce -t Orders --body hello", "consume -t Orders"] {
        site.fails(command, 1, &["No accessKey is configured", "; it wants signed requests: name a file of keys"])
            .await;
    }
    std::fs::write(site.ferromq.path().join("wrong.yml"), "accessKey: RocketMQ\nsecretKey: '87654321'\n").unwrap();
    let parts = ["Check signature failed for accessKey=RocketMQ", "; the keys of --credentials, of the environment or"];
    site.fails("admin topicList --credentials wrong.yml", 1, &parts).await;
    site.fails("produce -t Orders --body hello --credentials wrong.yml", 1, &parts).await;
}

#[actix::test]
async fn files_that_cannot_be_used_are_wrong_arguments() {
    let site = guarded().await;
    let path = |name: &str| site.ferromq.path().join(name);
    std::fs::write(path("none.yml"), "# later\n").unwrap();
    for (arguments, part) in [
        ("--credentials missing.yml", "cannot read the keys in missing.yml: "),
        ("--credentials none.yml", "none.yml has no keys: it needs a line `accessKey: NAME`"),
        ("--tls-trust missing.pem", "connections cannot be encrypted as the options say: no certificate can be taken"),
        ("--tls-trust keys.yml", "keys.yml: there is none"),
        ("--tls-server-name a/b", "\"a/b\" is no server name"),
        ("--tls-trust keys.yml --tls-any-certificate", "cannot be used with"),
        ("--tls-key key.pem", "--tls-certificate <FILE>"),
    ] {
        for command in ["admin topicList", "produce -t Orders --body hello", "consume -t Orders"] {
            site.fails(&format!("{command} {arguments}"), 2, &[part]).await;
        }
    }
}

#[actix::test]
async fn connections_of_every_command_are_encrypted() {
    let authority = Authority::new();
    let site = guarded().await.behind(&authority, "127.0.0.1", false).await;
    let tls = format!("--credentials keys.yml --tls-trust {}", authority.pem().display());
    site.prints(&format!("admin topicList {tls}"), &[], "Orders").await;
    site.prints(&format!("admin sendMessage -t Orders -p hello {tls}"), &[], "ID").await;
    site.prints(&format!("produce -t Orders --body hello {tls}"), &[], "queue 0 offset 0").await;
    site.prints(&format!("consume -t Orders {tls}"), &[], "").await;
    let any = site.run("admin topicList --credentials keys.yml --tls-any-certificate", &[]).await;
    assert_eq!(any.code, 0, "{}", any.err);
    contains(&any.err, "any certificate of a server is believed");
}

#[actix::test]
async fn who_is_not_believed_or_not_understood_is_told_which_option_helps() {
    let [authority, other] = ["authority", "other"].map(Authority::named);
    let trust = format!("--tls-trust {}", authority.pem().display());
    let mut plain = guarded().await;
    plain.address = each_connection(|stream| async { drop(stream) }).await;
    plain.fails(&format!("admin topicList {trust}"), 1, &["; that is: leave the options about TLS out"]).await;
    let site = guarded().await.behind(&authority, "broker.example", true).await;
    let keys = "--credentials keys.yml";
    site.fails(&format!("admin topicList {keys}"), 1, &["was closed; a server that wants TLS closes", "try --tls"])
        .await;
    let stranger = format!("--tls-trust {}", other.pem().display());
    site.fails(&format!("admin topicList {stranger}"), 1, &["that is: --tls-trust FILE"]).await;
    site.fails(&format!("admin topicList {trust}"), 1, &["; that is: --tls-server-name NAME"]).await;
    let client = authority.certify("client").files;
    let identity = format!(
        "--tls-server-name broker.example --tls-certificate {} --tls-key {}",
        client.certificates.display(),
        client.key.display()
    );
    site.prints(&format!("admin topicList {keys} {trust} {identity}"), &[], "Orders").await;
}
