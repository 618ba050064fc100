//! GET_NAMESRV_CONFIG and UPDATE_NAMESRV_CONFIG.

use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::NamesrvOptions;
use ferromq::namesrv::config::NamesrvConfig;
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::json;

use crate::by_hand::{Alone, MASTER_A, options_in, route, succeeds};
use crate::raw::{Raw, ask_for};

fn update(properties: &str) -> Command {
    ask_for(request::UPDATE_NAMESRV_CONFIG, &[]).with_body(properties.to_owned().into())
}

async fn shown(tool: &mut Raw) -> String {
    let reply = succeeds(tool, ask_for(request::GET_NAMESRV_CONFIG, &[])).await;
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[actix::test]
async fn a_change_is_shown_takes_effect_and_is_written_down() {
    let ordered = json!({"configTable": {"ORDER_TOPIC_CONFIG": {"T": "a:4"}}});
    let alone = Alone::start_with(|options| {
        std::fs::write(options.root.join("kvConfig.json"), ordered.to_string()).unwrap();
        options
    })
    .await;
    let mut tool = alone.connect().await;
    succeeds(&mut tool, MASTER_A.holds(1, &[("T", 4)])).await;
    let before = shown(&mut tool).await;
    assert!(before.contains("listenPort=9876\n") && before.contains("orderMessageEnable=false\n"), "{before}");
    assert_eq!(route(&mut tool, "T").await.unwrap().get("orderTopicConf"), None);
    // What no name server knows is passed over.
    succeeds(&mut tool, update("orderMessageEnable=true\nproductEnvName=här\nunknownKey=1")).await;
    let after = shown(&mut tool).await;
    let expected = before.replace("orderMessageEnable=false", "orderMessageEnable=true");
    assert_eq!(after, expected.replace("productEnvName=center", "productEnvName=här"));
    assert_eq!(route(&mut tool, "T").await.unwrap()["orderTopicConf"], "a:4");
    succeeds(&mut tool, update("")).await;
    let directory = alone.stop().await;
    let written = std::fs::read_to_string(directory.path().join("namesrv.properties")).unwrap();
    assert_eq!(written, after);
}

#[actix::test]
async fn what_may_not_be_changed_is_refused_and_nothing_of_the_request_is_done() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    let before = shown(&mut tool).await;
    let paths = |key: &str| format!("Can not update config path: {key}");
    let fixed = |key: &str| format!("{key} is read at the start only: change it in the file and restart");
    let wrong =
        |key: &str, expected: &str, found: &str| format!("update:2: {key}: expected {expected}, found \"{found}\"");
    let cases = [
        ("kvConfigPath=/etc/passwd", response::NO_PERMISSION, paths("kvConfigPath")),
        ("configStorePath=x", response::NO_PERMISSION, paths("configStorePath")),
        // Also when it would change nothing.
        ("kvConfigPath=", response::NO_PERMISSION, paths("kvConfigPath")),
        ("kvConfig\\u0050ath=x", response::NO_PERMISSION, paths("kvConfigPath")),
        ("listenPort=9877", response::SYSTEM_ERROR, fixed("listenPort")),
        ("clusterTest=yes", response::SYSTEM_ERROR, wrong("clusterTest", "true or false", "yes")),
        ("listenPort=x", response::SYSTEM_ERROR, wrong("listenPort", "a whole number from 0 to 65533", "x")),
    ];
    for (line, code, remark) in cases {
        let reply = tool.ask(update(&format!("orderMessageEnable=true\n{line}"))).await;
        assert_eq!((reply.code, reply.remark), (code, Some(remark)), "{line}");
        assert_eq!(shown(&mut tool).await, before, "{line}");
    }
    let no_text = tool.ask(ask_for(request::UPDATE_NAMESRV_CONFIG, &[]).with_body(vec![0xff, 0xfe].into())).await;
    assert_eq!(
        (no_text.code, no_text.remark.as_deref()),
        (response::SYSTEM_ERROR, Some("the properties are not UTF-8"))
    );
    assert!(!alone.stop().await.path().join("namesrv.properties").exists(), "nothing was written");
}

#[actix::test]
async fn a_change_that_cannot_be_written_is_not_made() {
    let alone = Alone::start().await;
    let mut tool = alone.connect().await;
    let before = shown(&mut tool).await;
    // A directory in its place is no file that could be replaced.
    std::fs::create_dir(alone.directory.path().join("namesrv.properties")).unwrap();
    let reply = tool.ask(update("orderMessageEnable=true")).await;
    assert_eq!(reply.code, response::SYSTEM_ERROR, "{reply:?}");
    assert!(reply.remark.as_deref().is_some_and(|remark| remark.contains("namesrv.properties")), "{reply:?}");
    assert_eq!(shown(&mut tool).await, before);
    alone.stop().await;
}

#[actix::test]
async fn the_settings_it_was_started_with_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = NamesrvConfig::settings_at_default();
    settings.read("namesrv.conf", b"orderMessageEnable=true\nserverWorkerThreads=4\n").unwrap();
    let config = NamesrvConfig::from_settings(settings);
    let options = NamesrvOptions { config, ..options_in(directory.path()) };
    let namesrv = Namesrv::builder(options).start().await.unwrap();
    let text = shown(&mut Raw::connect(namesrv.address()).await).await;
    assert!(text.contains("orderMessageEnable=true\n") && text.contains("serverWorkerThreads=4\n"), "{text}");
    namesrv.stop().await;
}
