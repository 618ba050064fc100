//! `namesrv -c FILE`: what a tool changes stands in that file, and is there again after a restart.

use ferromq::protocol::codes::{request, response};

use crate::binary::{Ferromq, Serving};
use crate::raw::{Raw, ask_for};

const COMMAND: &str = "namesrv --host 127.0.0.1 --data data -c namesrv.conf";
const BEFORE: &str = "# written by hand\nlistenPort=0\nproductEnvName=before\n";

/// What GET_NAMESRV_CONFIG says.
async fn shown(server: &Serving) -> String {
    let reply = Raw::connect(server.name_server()).await.ask(ask_for(request::GET_NAMESRV_CONFIG, &[])).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// The code and the remark of UPDATE_NAMESRV_CONFIG.
async fn update(server: &Serving, properties: &'static str) -> (i32, String) {
    let request = ask_for(request::UPDATE_NAMESRV_CONFIG, &[]).with_body(properties.into());
    let reply = Raw::connect(server.name_server()).await.ask(request).await;
    (reply.code, reply.remark.unwrap_or_default())
}

#[track_caller]
fn has_lines(text: &str, lines: &[&str]) {
    assert!(lines.iter().all(|line| text.lines().any(|shown| shown == *line)), "{lines:?} are not all in\n{text}");
}

#[actix::test]
async fn a_change_is_in_the_file_and_there_after_a_restart() {
    let ferromq = Ferromq::new().with_file("namesrv.conf", BEFORE);
    let file = |name: &str| std::fs::read_to_string(ferromq.path().join(name)).unwrap();
    let server = ferromq.serve(COMMAND);
    has_lines(&shown(&server).await, &["orderMessageEnable=false", "clusterTest=false", "productEnvName=before"]);
    let changed = update(&server, "orderMessageEnable=true\nclusterTest=true\n").await;
    assert_eq!(changed, (response::SUCCESS, String::new()));
    let after = ["orderMessageEnable=true", "clusterTest=true", "productEnvName=before", "listenPort=0"];
    has_lines(&shown(&server).await, &after);
    has_lines(&file("namesrv.conf"), &after);
    assert_eq!(file("namesrv.conf.bak"), BEFORE);
    assert_eq!(server.terminate().code, 0);

    let server = ferromq.serve(COMMAND);
    has_lines(&shown(&server).await, &after);
    assert_eq!(server.terminate().code, 0);
}

#[actix::test]
async fn a_change_that_is_refused_leaves_the_file_alone() {
    let ferromq = Ferromq::new().with_file("namesrv.conf", BEFORE);
    let server = ferromq.serve(COMMAND);
    for (properties, code, word) in [
        ("orderMessageEnable=perhaps\n", response::SYSTEM_ERROR, "orderMessageEnable"),
        ("clusterTest=true\nkvConfigPath=/tmp/x\n", response::NO_PERMISSION, "kvConfigPath"),
    ] {
        let (refused, remark) = update(&server, properties).await;
        assert_eq!(refused, code, "{remark}");
        assert!(remark.contains(word), "{remark}");
    }
    has_lines(&shown(&server).await, &["orderMessageEnable=false", "clusterTest=false"]);
    assert_eq!(std::fs::read_to_string(ferromq.path().join("namesrv.conf")).unwrap(), BEFORE);
    assert!(!ferromq.path().join("namesrv.conf.bak").exists());
    assert_eq!(server.terminate().code, 0);
}
