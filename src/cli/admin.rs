//! `ferromq admin`: what mqadmin does, by its names.
//!
//! A command has its arguments, asks through [`Admin`], and returns a [`Page`]; printing it is done here. A file holds a small
//! family of commands. What mqadmin has and these lack: monitoring.

mod acl;
mod brokers;
mod clusters;
mod connections;
mod consumer_status;
mod export;
mod find;
mod groups;
mod metrics;
mod moment;
mod name_servers;
mod offsets;
mod order;
mod page;
mod progress;
mod queues;
mod read;
mod send;
mod several;
mod target;
mod topic_lists;
mod topics;
mod trace;
mod track;

use clap::{Args, Subcommand};
use serde::Serialize;
use thiserror::Error;

use self::brokers::Cleaning;
use self::page::{Cell, Page};
use self::several::HalfDone;
use super::access::{Access, AccessArgs};
use super::{name_servers, unless_reader_left};
use crate::admin::Admin;
use crate::client::{Client, ClientError, ProducerBuilder};
use crate::time::{SharedClock, SystemClock};

/// The group in whose name tools read: brokers have it from their start.
const TOOLS_GROUP: &str = "TOOLS_CONSUMER";
/// The group in whose name they send.
const SENDING_GROUP: &str = "ferromq-admin";

/// Look after brokers and name servers, with the commands and options of RocketMQ's mqadmin.
///
/// It works with the servers of ferromq and of RocketMQ 4.9.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ferromq admin clusterList -n 127.0.0.1:9876
  ferromq admin updateTopic -c DefaultCluster -t orders -r 8 -w 8
  ferromq admin consumerProgress -g billing --json
  ferromq admin resetOffsetByTime -g billing -t orders -s 2026-11-21#05:00:00:000

Exit codes: 0 done, 1 failed, 2 wrong arguments.")]
pub(super) struct AdminArgs {
    /// Name servers, as host:port;host:port [default: the environment's NAMESRV_ADDR, or 127.0.0.1:9876].
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDRESSES", global = true)]
    namesrv_addr: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    access: AccessArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Clone, Debug, Subcommand)]
#[command(rename_all = "camelCase")]
enum AdminCommand {
    UpdateTopic(topics::UpdateTopicArgs),
    DeleteTopic(topics::DeleteTopicArgs),
    UpdateSubGroup(groups::UpdateSubGroupArgs),
    DeleteSubGroup(groups::DeleteSubGroupArgs),
    UpdateBrokerConfig(brokers::UpdateBrokerConfigArgs),
    UpdateTopicPerm(topics::UpdateTopicPermArgs),
    TopicRoute(topic_lists::TopicRouteArgs),
    TopicStatus(topic_lists::TopicStatusArgs),
    TopicClusterList(topic_lists::TopicClusterListArgs),
    BrokerStatus(brokers::BrokerStatusArgs),
    QueryMsgById(find::QueryMsgByIdArgs),
    QueryMsgByKey(find::QueryMsgByKeyArgs),
    QueryMsgByUniqueKey(find::QueryMsgByUniqueKeyArgs),
    QueryMsgByOffset(find::QueryMsgByOffsetArgs),
    #[command(alias = "QueryMsgTraceById")]
    QueryMsgTraceById(trace::QueryMsgTraceByIdArgs),
    PrintMsg(read::PrintMsgArgs),
    PrintMsgByQueue(read::PrintMsgByQueueArgs),
    SendMsgStatus(send::SendMsgStatusArgs),
    BrokerConsumeStats(progress::BrokerConsumeStatsArgs),
    ProducerConnection(connections::ProducerConnectionArgs),
    ConsumerConnection(connections::ConsumerConnectionArgs),
    ConsumerProgress(progress::ConsumerProgressArgs),
    ConsumerStatus(consumer_status::ConsumerStatusArgs),
    CloneGroupOffset(offsets::CloneGroupOffsetArgs),
    Producer(connections::ProducerArgs),
    ClusterList(clusters::ClusterListArgs),
    TopicList(topic_lists::TopicListArgs),
    UpdateKvConfig(name_servers::UpdateKvConfigArgs),
    DeleteKvConfig(name_servers::DeleteKvConfigArgs),
    /// Take the write permission of all topics at a set of brokers, at every name server.
    WipeWritePerm(name_servers::WritePermArgs),
    /// Give it back.
    AddWritePerm(name_servers::WritePermArgs),
    ResetOffsetByTime(offsets::ResetOffsetByTimeArgs),
    SkipAccumulatedMessage(offsets::SkipAccumulatedMessageArgs),
    UpdateOrderConf(order::UpdateOrderConfArgs),
    /// Have brokers remove queue files whose messages are all gone.
    #[command(name = "cleanExpiredCQ")]
    CleanExpiredCq(brokers::CleanArgs),
    /// Have brokers remove log segments whose time is over.
    DeleteExpiredCommitLog(brokers::CleanArgs),
    /// Have brokers remove queues whose topic is gone.
    CleanUnusedTopic(brokers::CleanArgs),
    StatsAll(topic_lists::StatsAllArgs),
    #[command(name = "allocateMQ")]
    AllocateMq(queues::AllocateMqArgs),
    #[command(name = "checkMsgSendRT")]
    CheckMsgSendRt(send::CheckMsgSendRtArgs),
    #[command(name = "clusterRT")]
    ClusterRt(send::ClusterRtArgs),
    GetNamesrvConfig(name_servers::GetNamesrvConfigArgs),
    UpdateNamesrvConfig(name_servers::UpdateNamesrvConfigArgs),
    GetBrokerConfig(brokers::GetBrokerConfigArgs),
    GetConsumerConfig(groups::GetConsumerConfigArgs),
    QueryCq(queues::QueryCqArgs),
    SendMessage(send::SendMessageArgs),
    ConsumeMessage(read::ConsumeMessageArgs),
    ExportMetadata(export::ExportMetadataArgs),
    ExportConfigs(export::ExportConfigsArgs),
    ExportMetrics(metrics::ExportMetricsArgs),
    UpdateAclConfig(acl::UpdateAclConfigArgs),
    #[command(alias = "deleteAccessConfig")]
    DeleteAclConfig(acl::DeleteAclConfigArgs),
    ClusterAclConfigVersion(acl::ClusterAclConfigVersionArgs),
    UpdateGlobalWhiteAddr(acl::UpdateGlobalWhiteAddrArgs),
    #[command(alias = "getAccessConfigSubCommand")]
    GetAclConfig(acl::GetAclConfigArgs),
}

impl AdminCommand {
    async fn run(&self, context: &Context) -> anyhow::Result<Page> {
        match self {
            Self::UpdateTopic(args) => args.run(context).await,
            Self::DeleteTopic(args) => args.run(context).await,
            Self::UpdateSubGroup(args) => args.run(context).await,
            Self::DeleteSubGroup(args) => args.run(context).await,
            Self::UpdateBrokerConfig(args) => args.run(context).await,
            Self::UpdateTopicPerm(args) => args.run(context).await,
            Self::TopicRoute(args) => args.run(context).await,
            Self::TopicStatus(args) => args.run(context).await,
            Self::TopicClusterList(args) => args.run(context).await,
            Self::BrokerStatus(args) => args.run(context).await,
            Self::QueryMsgById(args) => args.run(context).await,
            Self::QueryMsgByKey(args) => args.run(context).await,
            Self::QueryMsgByUniqueKey(args) => args.run(context).await,
            Self::QueryMsgByOffset(args) => args.run(context).await,
            Self::QueryMsgTraceById(args) => args.run(context).await,
            Self::PrintMsg(args) => args.run(context).await,
            Self::PrintMsgByQueue(args) => args.run(context).await,
            Self::SendMsgStatus(args) => args.run(context).await,
            Self::BrokerConsumeStats(args) => args.run(context).await,
            Self::ProducerConnection(args) => args.run(context).await,
            Self::ConsumerConnection(args) => args.run(context).await,
            Self::ConsumerProgress(args) => args.run(context).await,
            Self::ConsumerStatus(args) => args.run(context).await,
            Self::CloneGroupOffset(args) => args.run(context).await,
            Self::Producer(args) => args.run(context).await,
            Self::ClusterList(args) => args.run(context).await,
            Self::TopicList(args) => args.run(context).await,
            Self::UpdateKvConfig(args) => args.run(context).await,
            Self::DeleteKvConfig(args) => args.run(context).await,
            Self::WipeWritePerm(args) => args.wipe(context).await,
            Self::AddWritePerm(args) => args.add(context).await,
            Self::ResetOffsetByTime(args) => args.run(context).await,
            Self::SkipAccumulatedMessage(args) => args.run(context).await,
            Self::UpdateOrderConf(args) => args.run(context).await,
            Self::CleanExpiredCq(args) => args.run(context, Cleaning::Queues).await,
            Self::DeleteExpiredCommitLog(args) => args.run(context, Cleaning::Log).await,
            Self::CleanUnusedTopic(args) => args.run(context, Cleaning::Topics).await,
            Self::StatsAll(args) => args.run(context).await,
            Self::AllocateMq(args) => args.run(context).await,
            Self::CheckMsgSendRt(args) => args.run(context).await,
            Self::ClusterRt(args) => args.run(context).await,
            Self::GetNamesrvConfig(args) => args.run(context).await,
            Self::UpdateNamesrvConfig(args) => args.run(context).await,
            Self::GetBrokerConfig(args) => args.run(context).await,
            Self::GetConsumerConfig(args) => args.run(context).await,
            Self::QueryCq(args) => args.run(context).await,
            Self::SendMessage(args) => args.run(context).await,
            Self::ConsumeMessage(args) => args.run(context).await,
            Self::ExportMetadata(args) => args.run(context).await,
            Self::ExportConfigs(args) => args.run(context).await,
            Self::ExportMetrics(args) => args.run(context).await,
            Self::UpdateAclConfig(args) => args.run(context).await,
            Self::DeleteAclConfig(args) => args.run(context).await,
            Self::ClusterAclConfigVersion(args) => args.run(context).await,
            Self::UpdateGlobalWhiteAddr(args) => args.run(context).await,
            Self::GetAclConfig(args) => args.run(context).await,
        }
    }
}

/// What every command works with.
struct Context {
    admin: Admin,
    access: Access,
    /// As they were named.
    name_servers: String,
    clock: SharedClock,
    /// Whether machines read what is printed.
    json: bool,
}

impl Context {
    /// A producer that is yet to be started.
    async fn producer(&self) -> Result<ProducerBuilder, ClientError> {
        let client = Client::new(self.access.client_options(&self.name_servers)).await?;
        Ok(client.producer(SENDING_GROUP))
    }
}

/// Arguments that cannot be meant.
#[derive(Debug, Error)]
#[error("{0}")]
struct Usage(String);

/// Whether an error is one of what was asked for, or of whom.
pub(super) fn is_usage(error: &anyhow::Error) -> bool {
    let is_of_name_servers =
        |error: &ClientError| matches!(error, ClientError::NameServers(_) | ClientError::NoNameServer);
    error.is::<Usage>() || error.downcast_ref().is_some_and(is_of_name_servers)
}

/// Runs the command.
pub(super) fn run(args: &AdminArgs) -> anyhow::Result<()> {
    let name_servers = name_servers(args.namesrv_addr.as_deref());
    let access = args.access.read()?;
    let admin = Admin::on(access.connections(), &name_servers)?;
    let context = Context { admin, access, name_servers, clock: SystemClock::shared(), json: args.json };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(args.command.run(&context)).and_then(|page| page.print(args.json));
    let outcome = outcome.or_else(|error| error.downcast::<HalfDone>().and_then(|half| half.tell(args.json)));
    context.access.explain(unless_reader_left(outcome))
}

/// What a value of an enumeration is called on the wire.
fn wire_name<T: Serialize>(value: &T) -> Cell {
    serde_json::to_value(value).ok().as_ref().and_then(|name| name.as_str()).into()
}
