//! Checks of a RocketMQ cluster through our own client: the ones that need more than an example.
//!
//! Name servers come from `NAMESRV_ADDR`; a line per check and one with their numbers go to standard output.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod administrators;
mod consumers;
mod inbox;
mod producers;

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use ferromq::client::{Client, ClientError, ClientOptions};

type Outcome = Result<(), Box<dyn Error>>;

/// How long each check may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the checks know: who they are, so that topics and groups are those of this run alone.
struct Run {
    id: String,
}

impl Run {
    async fn client(&self) -> Result<Client, ClientError> {
        Client::new(ClientOptions::of_environment()?).await
    }

    /// A name of this run alone.
    fn name(&self, what: &str) -> String {
        format!("{what}_{}", self.id)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let run = Run { id: std::process::id().to_string() };
    let mut counts = [0, 0];
    let mut check =
        async |name: &str, check: &mut (dyn Future<Output = Outcome> + Unpin)| match tokio::time::timeout(LIMIT, check)
            .await
        {
            Ok(Ok(())) => {
                counts[0] += 1;
                println!("ok {name}");
            }
            Ok(Err(error)) => {
                counts[1] += 1;
                println!("FAILED {name} {error}");
            }
            Err(_) => {
                counts[1] += 1;
                println!("FAILED {name} not within {LIMIT:?}");
            }
        };
    check("retry_comes_again", &mut Box::pin(consumers::retry_comes_again(&run))).await;
    check("dead_letters", &mut Box::pin(consumers::dead_letters(&run))).await;
    check("tags_and_conditions", &mut Box::pin(consumers::tags_and_conditions(&run))).await;
    check("members_share", &mut Box::pin(consumers::members_share(&run))).await;
    check("order_changes_hands", &mut Box::pin(consumers::order_changes_hands(&run))).await;
    check("pull_and_seek", &mut Box::pin(consumers::pull_and_seek(&run))).await;
    check("group_goes_on", &mut Box::pin(consumers::group_goes_on(&run))).await;
    check("compressed", &mut Box::pin(producers::compressed(&run))).await;
    check("oneway", &mut Box::pin(producers::oneway(&run))).await;
    check("transaction_is_asked_about", &mut Box::pin(producers::transaction_is_asked_about(&run))).await;
    check("offsets_are_reset", &mut Box::pin(administrators::offsets_are_reset(&run))).await;
    check("state_is_told", &mut Box::pin(administrators::state_is_told(&run))).await;
    println!("{} passed, {} failed", counts[0], counts[1]);
    if counts[1] == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
