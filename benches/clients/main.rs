//! What this client takes for its work, to be set beside what others take: `benches/clients/run`.
//!
//! ```text
//! clients sync|async|consume TOPIC COUNT BYTES WORKERS
//! ```
//!
//! One line of JSON: messages, seconds, CPU seconds of this process. What comes before, connecting and a tenth of the messages
//! for warming up, is not counted. Name servers come from the environment, as in `NAMESRV_ADDR`.
#![allow(missing_docs, reason = "a benchmark has no readers of its items")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferromq::client::{
    Begin, Client, ClientOptions, ConsumerOptions, Delivery, OutgoingMessage, Producer, ProducerOptions, Wanted,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Plan {
    mode: String,
    topic: String,
    count: usize,
    bytes: usize,
    workers: usize,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(mode) = arguments.next() else { return Ok(()) };
    let mut next = |name| arguments.next().ok_or(format!("{name} is missing"));
    let plan = Plan {
        mode,
        topic: next("TOPIC")?,
        count: next("COUNT")?.parse()?,
        bytes: next("BYTES")?.parse()?,
        workers: next("WORKERS")?.parse()?,
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&plan))
}

async fn run(plan: &Plan) -> Outcome<()> {
    let client = Client::new(ClientOptions::of_environment()?).await?;
    let spent = match plan.mode.as_str() {
        "sync" | "async" => {
            let options = ProducerOptions { submitted_max: plan.workers, ..ProducerOptions::default() };
            let producer = client.producer("bench-rust").options(options).start().await?;
            send(plan, &producer, plan.count / 10).await?;
            let begin = Spent::now();
            send(plan, &producer, plan.count).await?;
            begin.until_now()
        }
        "consume" => consume(plan, &client).await?,
        other => return Err(format!("no such mode: {other}").into()),
    };
    println!(
        r#"{{"messages":{},"seconds":{:.3},"cpu_seconds":{:.3}}}"#,
        plan.count,
        spent.wall.as_secs_f64(),
        spent.cpu.as_secs_f64()
    );
    Ok(())
}

async fn send(plan: &Plan, producer: &Producer, count: usize) -> Outcome<()> {
    let message = OutgoingMessage::to(&plan.topic, vec![b'x'; plan.bytes])?;
    if plan.mode == "async" {
        for _ in 0..count {
            producer.submit_when_there_is_room(message.clone()).await?;
        }
        return Ok(producer.all_answered().await?);
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..plan.workers {
        let (producer, message, own) = (producer.clone(), message.clone(), count / plan.workers);
        workers.spawn(async move {
            for _ in 0..own {
                producer.send(&message).await?;
            }
            Ok::<_, ferromq::client::ClientError>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Consumes what is there, all of it from a tenth on being counted.
async fn consume(plan: &Plan, client: &Client) -> Outcome<Spent> {
    let group = format!("bench-rust-{}", std::process::id());
    let options =
        ConsumerOptions { begin: Begin::First, deliveries_at_once: plan.workers, ..ConsumerOptions::default() };
    let (seen, warm, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let listener = {
        let (seen, warm, done) = (Arc::clone(&seen), Arc::clone(&warm), Arc::clone(&done));
        let (warm_at, done_at) = (plan.count / 10, plan.count + plan.count / 10);
        move |delivery: Delivery| {
            let before = seen.fetch_add(delivery.messages.len(), Ordering::Relaxed);
            let now = before + delivery.messages.len();
            if before < warm_at && now >= warm_at {
                warm.notify_one();
            }
            if before < done_at && now >= done_at {
                done.notify_one();
            }
            std::future::ready(())
        }
    };
    let consumer =
        client.push_consumer(&group).options(options).subscribe(&plan.topic, Wanted::All).start(listener).await?;
    warm.notified().await;
    let begin = Spent::now();
    done.notified().await;
    let spent = begin.until_now();
    consumer.stop().await?;
    Ok(spent)
}

/// Time that passed, and that processors spent on this process.
struct Spent {
    wall: Duration,
    cpu: Duration,
}

struct Mark {
    wall: Instant,
    cpu: Duration,
}

impl Spent {
    fn now() -> Mark {
        #[expect(clippy::disallowed_methods, reason = "what is measured is the system's time")]
        Mark { wall: Instant::now(), cpu: cpu() }
    }
}

impl Mark {
    fn until_now(&self) -> Spent {
        Spent { wall: self.wall.elapsed(), cpu: cpu().saturating_sub(self.cpu) }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
