//! Checks of a RocketMQ cluster through our own client: the ones that need more than an example.
//!
//! Name servers come from `NAMESRV_ADDR`; a line per check and one with their numbers go to standard output. `guarded DIRECTORY`
//! are those of servers that want TLS and signatures, with what `certificates DIRECTORY` has written.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod administrators;
mod certificates;
mod consumers;
mod guarded;
mod inbox;
mod producers;

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use ferromq::client::{Client, ClientError, ClientOptions};

use crate::guarded::Guard;

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

/// What the checks were so far.
#[derive(Default)]
struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    async fn add(&mut self, name: &str, check: impl Future<Output = Outcome>) {
        let reason = match tokio::time::timeout(LIMIT, check).await {
            Ok(Ok(())) => {
                self.passed += 1;
                println!("ok {name}");
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not within {LIMIT:?}"),
        };
        self.failed += 1;
        println!("FAILED {name} {reason}");
    }

    fn end(&self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => open(&Run { id: std::process::id().to_string() }).await,
        ["certificates", directory] => match certificates::write(directory.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{error}");
                ExitCode::FAILURE
            }
        },
        ["guarded", directory] => guarded(&Guard::of(directory.as_ref())).await,
        _ => {
            println!("expected nothing, certificates DIRECTORY, or guarded DIRECTORY");
            ExitCode::FAILURE
        }
    }
}

/// At servers which everybody may use.
async fn open(run: &Run) -> ExitCode {
    let mut checks = Checks::default();
    checks.add("retry_comes_again", consumers::retry_comes_again(run)).await;
    checks.add("dead_letters", consumers::dead_letters(run)).await;
    checks.add("tags_and_conditions", consumers::tags_and_conditions(run)).await;
    checks.add("members_share", consumers::members_share(run)).await;
    checks.add("order_changes_hands", consumers::order_changes_hands(run)).await;
    checks.add("pull_and_seek", consumers::pull_and_seek(run)).await;
    checks.add("group_goes_on", consumers::group_goes_on(run)).await;
    checks.add("compressed", producers::compressed(run)).await;
    checks.add("oneway", producers::oneway(run)).await;
    checks.add("transaction_is_asked_about", producers::transaction_is_asked_about(run)).await;
    checks.add("offsets_are_reset", administrators::offsets_are_reset(run)).await;
    checks.add("state_is_told", administrators::state_is_told(run)).await;
    checks.add("accounts_are_not_there", administrators::accounts_are_not_there(run)).await;
    checks.end()
}

/// At servers that take encrypted and signed requests only.
async fn guarded(guard: &Guard) -> ExitCode {
    let mut checks = Checks::default();
    checks.add("plain_is_not_served", guard.plain_is_not_served()).await;
    checks.add("strangers_are_not_believed", guard.strangers_are_not_believed()).await;
    checks.add("unsigned_is_refused", guard.unsigned_is_refused()).await;
    checks.add("wrongly_signed_is_refused", guard.wrongly_signed_is_refused()).await;
    checks.add("signed_is_served", guard.signed_is_served()).await;
    checks.add("no_administrator_is_refused", guard.no_administrator_is_refused()).await;
    checks.add("accounts_come_and_go", guard.accounts_come_and_go()).await;
    checks.add("addresses_are_let_in", guard.addresses_are_let_in()).await;
    checks.end()
}
