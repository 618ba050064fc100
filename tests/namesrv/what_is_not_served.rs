//! Codes that a name server does not serve are answered: nobody should have to time out.

use ferromq::actors::namesrv_actor::CODES;
use ferromq::protocol::codes::response;

use crate::by_hand::Alone;
use crate::raw::ask_for;

#[actix::test]
async fn every_other_code_is_not_supported() {
    let alone = Alone::start().await;
    let mut client = alone.connect().await;
    let others = [i32::MIN, -1, 9_999, 200_050, i32::MAX].into_iter().chain(0..1_100);
    for code in others.filter(|code| !CODES.contains(code)) {
        let reply = client.ask(ask_for(code, &[])).await;
        let text = format!(" request type {code} not supported");
        assert_eq!((reply.code, reply.remark), (response::REQUEST_CODE_NOT_SUPPORTED, Some(text)));
    }
    for code in CODES {
        let reply = client.ask(ask_for(code, &[])).await;
        assert_ne!(reply.code, response::REQUEST_CODE_NOT_SUPPORTED, "{code}");
    }
    alone.stop().await;
}
