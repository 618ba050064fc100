//! Brings messages back that consumers could not handle: to the retry topic of their group, or to its dead letters.
//!
//! Runs in the connections' tasks and waits in tasks of its own. Asks the GroupActor for the group and the TopicActor for
//! the topic, reads the message in the pool, sends to the CommitLogActor and tells the StatsActor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Recipient;
use tokio::sync::oneshot;

use super::append_answer::append_all;
use super::commitlog_actor::AppendBatch;
use super::fault::{ask, notify};
use super::group_actor::FindGroup;
use super::live::Live;
use super::published::Published;
use super::read_pool::ReadPool;
use super::requests::{answer, success};
use super::stats_actor::SentBack;
use super::topic_actor::{MakeTopic, dead_letters};
use crate::broker::send_back::{self, Fate};
use crate::broker::topics::TopicTable;
use crate::net::router::{Request, Service};
use crate::protocol::body::subscription_group::SubscriptionGroupConfig;
use crate::protocol::body::topic_config::{Permission, TopicConfig, topic_sys_flag};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::send::SendBack;
use crate::protocol::names::{GroupName, Topic};
use crate::protocol::refusal::Refusal;
use crate::protocol::units::{PhysicalOffset, QueueId};
use crate::store::PutBatch;

/// The code that a SendBackService answers.
pub(super) const CODES: [i32; 1] = [request::CONSUMER_SEND_MSG_BACK];

/// What a SendBackService is made of.
#[derive(Clone)]
pub(super) struct SendBackService {
    /// The rules: whether the broker's own permission lets it be written to.
    pub(super) live: Published<Live>,
    /// How many levels of delay there are.
    pub(super) delay_levels: u32,
    /// The topics there are.
    pub(super) topics: Published<TopicTable>,
    /// The GroupActor.
    pub(super) find_group: Recipient<FindGroup>,
    /// The TopicActor.
    pub(super) make_topic: Recipient<MakeTopic>,
    /// Reads messages.
    pub(super) pool: ReadPool,
    /// The CommitLogActor.
    pub(super) append: Recipient<AppendBatch>,
    /// The StatsActor.
    pub(super) sent_back: Recipient<SentBack>,
    /// What the choice of queues follows from.
    pub(super) seed: Arc<AtomicU64>,
}

impl Service for SendBackService {
    fn serve(&self, requests: Vec<Request>) {
        for request in requests {
            let service = self.clone();
            actix_rt::spawn(async move {
                let outcome = service.send_back(&request.command).await;
                answer(request.reply, outcome.map(|()| success()));
            });
        }
    }
}

impl SendBackService {
    async fn send_back(&self, command: &Command) -> Result<(), Refusal> {
        let asked = SendBack::parse(&command.ext)?;
        let group = ask(&self.find_group, FindGroup { group: asked.group.clone() }).await??;
        if !self.live.load().rules.send.writable {
            return Err(Refusal::new(response::NO_PERMISSION, "the broker sending message is forbidden"));
        }
        if group.retry_queue_nums == 0 {
            return Ok(());
        }
        let name = GroupName::parse(&asked.group)?;
        let retry = self.made(retry_topic(&name, &group, asked.unit_mode)?).await?;
        let missing = || Refusal::error(format!("look message by offset failed, {}", asked.offset));
        let at = u64::try_from(asked.offset).map(PhysicalOffset).map_err(|_| missing())?;
        let message = self.pool.ask(move |log| log.message(at)).await??.ok_or_else(missing)?;
        let fate = Fate::of(message.reconsume_times, &asked, command.version, &group, self.delay_levels);
        let (topic, queues) = match fate {
            Fate::Retry(_) => retry,
            Fate::DeadLetters => {
                let topic = Topic::dead_letters_of(&name)?;
                let config = dead_letters(&topic);
                (self.made((topic, config)).await?.0, 1)
            }
        };
        // The topic may be older than what the group says now, and have fewer queues that consumers look at.
        let queues = queues.clamp(1, group.retry_queue_nums);
        let mut puts = PutBatch::default();
        let mut random = fastrand::Rng::with_seed(self.seed.fetch_add(1, Ordering::Relaxed));
        send_back::push(&mut puts, &message, fate, &topic, QueueId(random.u32(0..queues)))?;
        append_all(&self.append, puts).await?;
        // Whatever a client calls it: figures are kept of topics that there are.
        let first = send_back::first_topic(&message);
        let topic = if self.topics.load().config(first).is_some() { first } else { &message.topic };
        notify(&self.sent_back, SentBack { topic: topic.to_owned(), group: asked.group });
        Ok(())
    }

    /// The topic, once it exists and lets itself be written to, and how many queues of it are read.
    async fn made(&self, (topic, config): (Topic, TopicConfig)) -> Result<(Topic, u32), Refusal> {
        let known = || self.topics.load().config(topic.as_str()).map(Arc::clone);
        let config = match known() {
            Some(known) => known,
            None => {
                let (tell, told) = oneshot::channel();
                notify(&self.make_topic, MakeTopic { topic: topic.clone(), config: config.clone(), tell });
                told.await.map_err(|_| Refusal::error(format!("topic[{topic}] not exist")))??;
                known().unwrap_or_else(|| Arc::new(config))
            }
        };
        if !config.perm.writable() {
            let remark = format!("the topic[{topic}] sending message is forbidden");
            return Err(Refusal::new(response::NO_PERMISSION, remark));
        }
        Ok((topic, config.read_queue_nums))
    }
}

fn retry_topic(
    name: &GroupName,
    group: &SubscriptionGroupConfig,
    unit_mode: bool,
) -> Result<(Topic, TopicConfig), Refusal> {
    let topic = Topic::retry_of(name)?;
    let topic_sys_flag = if unit_mode { topic_sys_flag::UNIT_SUBSCRIPTION } else { 0 };
    let config = TopicConfig::new(topic.as_str(), group.retry_queue_nums, Permission::READ_WRITE);
    Ok((topic, TopicConfig { topic_sys_flag, ..config }))
}
