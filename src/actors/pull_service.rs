//! Takes the pulls of one read of a socket and hands each to the QueueActor of its queue.
//!
//! Runs in the connections' tasks. Asks the GroupActor for groups that are not known yet and the DispatchActor for
//! queues that have no actor yet; tells the OffsetActor how far a group has come.

use actix::Recipient;

use super::dispatch_actor::OpenQueue;
use super::fault::notify;
use super::group_actor::CreateOnPull;
use super::offset_actor::Commit;
use super::published::Published;
use super::pull_reply::PullReply;
use super::queue_actor::Pull;
use super::queue_directory::{Directory, QueueKey};
use crate::broker::clients::SubscriptionTable;
use crate::broker::filter::ConsumerFilters;
use crate::broker::groups::GroupTable;
use crate::broker::pull::admission::{self, AdmittedPull, Known, PullDenied, PullRules};
use crate::broker::topics::TopicTable;
use crate::net::router::{Request, Service};
use crate::protocol::headers::pull::PullHeader;

/// What a PullService is made of.
#[derive(Clone)]
pub struct PullService {
    /// What the configuration says.
    pub rules: PullRules,
    /// The topics there are.
    pub topics: Published<TopicTable>,
    /// The groups there are.
    pub groups: Published<GroupTable>,
    /// What the groups that are online want.
    pub subscriptions: Published<SubscriptionTable>,
    /// The conditions of those that choose by properties.
    pub filters: Published<ConsumerFilters>,
    /// The queues that have an actor.
    pub directory: Directory,
    /// The DispatchActor.
    pub open_queue: Recipient<OpenQueue>,
    /// The GroupActor.
    pub create_group: Recipient<CreateOnPull>,
    /// The OffsetActor.
    pub commit: Recipient<Commit>,
}

impl Service for PullService {
    fn serve(&self, requests: Vec<Request>) {
        for request in requests {
            let admitted = PullHeader::parse(&request.command.ext)
                .map_err(|error| PullDenied::Refused(error.into()))
                .and_then(|header| self.admit(&header, &request));
            match admitted {
                Ok(admitted) => self.hand_over(admitted, request),
                Err(PullDenied::UnknownGroup) => {
                    notify(&self.create_group, CreateOnPull { request, then: self.clone() })
                }
                Err(PullDenied::Refused(refusal)) => request.reply.refuse(refusal),
            }
        }
    }
}

impl PullService {
    fn admit(&self, header: &PullHeader<'_>, request: &Request) -> Result<AdmittedPull, PullDenied> {
        let (topics, groups, subscriptions) = (self.topics.load(), self.groups.load(), self.subscriptions.load());
        let filters = self.filters.load();
        let known = Known { topics: &topics, groups: &groups, subscriptions: &subscriptions, filters: &filters };
        let admitted = admission::admit(&self.rules, &known, header, request.reply.peer().remote)?;
        if let Some(offset) = admitted.commit {
            let (topic, group) = (admitted.topic.as_str().into(), header.consumer_group.as_ref().into());
            notify(&self.commit, Commit { topic, group, queue_id: admitted.queue_id, offset });
        }
        Ok(admitted)
    }

    fn hand_over(&self, admitted: AdmittedPull, request: Request) {
        let AdmittedPull { topic, queue_id, offset, wanted, filter, suspend, suggested, group, .. } = admitted;
        let reply = PullReply::new(request.reply, suggested);
        let pull = Pull { offset, wanted, filter, suspend, group, reply };
        match self.directory.find(topic.as_str(), queue_id) {
            Some(queue) => notify(&queue.pull, pull),
            None => notify(&self.open_queue, OpenQueue { key: QueueKey { topic, queue_id }, pull }),
        }
    }
}
