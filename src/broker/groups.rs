//! The broker's consumer groups: their settings, how unknown ones come into being, and the text that is kept of them.
//!
//! [`Groups`] is the owner's; everybody else reads a [`GroupTable`], a snapshot that costs a pointer to clone. Names in
//! files and of administrators are taken as they come, as the reference does; an unknown group is made only under a legal one.

use std::sync::Arc;

use imbl::OrdMap;

use super::topics::Changed;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::subscription_group::{SubscriptionGroupConfig, SubscriptionGroupTable};
use crate::protocol::body::{BodyError, lenient, pretty};
use crate::protocol::names::GroupName;

/// Groups with this prefix are the broker's own and always made.
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";

/// Groups of tools and proxies, which every broker knows.
///
/// # Source
/// `SubscriptionGroupManager.init` 4.9.7 (read).
const START_UP_GROUPS: [&str; 7] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
];

/// Whether a group is a broker's own, or one that every broker knows.
#[must_use]
pub fn is_system_group(name: &str) -> bool {
    name.starts_with(SYSTEM_GROUP_PREFIX) || START_UP_GROUPS.contains(&name)
}

/// All groups at one moment. Cloning shares everything.
#[derive(Clone, Debug, Default)]
pub struct GroupTable {
    groups: OrdMap<Arc<str>, Arc<SubscriptionGroupConfig>>,
    version: DataVersion,
}

impl GroupTable {
    /// A group's settings.
    #[must_use]
    pub fn find(&self, group: &str) -> Option<&Arc<SubscriptionGroupConfig>> {
        self.groups.get(group)
    }

    /// Whether members of a group are told when others come and go; those of an unknown group are.
    #[must_use]
    pub fn notifies(&self, group: &str) -> bool {
        self.find(group).is_none_or(|config| config.notify_consumer_ids_changed_enable)
    }

    /// The names of all groups.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.groups.keys()
    }

    /// When and how often the table has been changed.
    #[must_use]
    pub fn version(&self) -> DataVersion {
        self.version
    }

    /// The table as GET_ALL_SUBSCRIPTIONGROUP_CONFIG sends it.
    #[must_use]
    pub fn body(&self) -> SubscriptionGroupTable {
        SubscriptionGroupTable {
            data_version: self.version,
            subscription_group_table: self.groups.iter().map(|(name, config)| (name.clone(), config.clone())).collect(),
        }
    }

    /// The text of `subscriptionGroup.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(&self.body())
    }
}

/// The owner's table: changed here, read as [`GroupTable`].
#[derive(Debug)]
pub struct Groups {
    table: GroupTable,
}

impl Groups {
    /// The groups that every broker has, before its file is laid over them.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        let start_up = |name: &&'static str| (Arc::from(*name), Arc::new(SubscriptionGroupConfig::new(*name)));
        let groups = START_UP_GROUPS.iter().map(start_up).collect();
        Self { table: GroupTable { groups, version: DataVersion::new(now_ms) } }
    }

    /// Lays the content of `subscriptionGroup.json` over the groups that are there.
    ///
    /// # Errors
    /// Text that is no such file; nothing is changed then.
    pub fn load(&mut self, text: &str) -> Result<(), BodyError> {
        let file: SubscriptionGroupTable = lenient::read(text.as_bytes())?;
        self.table.groups.extend(file.subscription_group_table);
        self.table.version = file.data_version;
        Ok(())
    }

    /// Replaces everything by what a master sent.
    pub fn replace(&mut self, master: SubscriptionGroupTable) {
        let groups = master.subscription_group_table.into_iter().collect();
        self.table = GroupTable { groups, version: master.data_version };
    }

    /// The groups as they are now.
    #[must_use]
    pub fn table(&self) -> GroupTable {
        self.table.clone()
    }

    /// A group's settings. An unknown group is made when that is allowed (`autoCreateSubscriptionGroup`) and its name is
    /// one; then the table has changed: publish it and write the file. `None`: unknown, and to be refused.
    ///
    /// # Source
    /// `SubscriptionGroupManager.findSubscriptionGroupConfig` 4.9.7 (read).
    pub fn find_or_create(
        &mut self,
        group: &str,
        auto_create: bool,
        now_ms: i64,
    ) -> Option<(Arc<SubscriptionGroupConfig>, Changed)> {
        if let Some(known) = self.table.find(group) {
            return Some((known.clone(), Changed::No));
        }
        let may_be_made = auto_create || group.starts_with(SYSTEM_GROUP_PREFIX);
        if !may_be_made || GroupName::parse(group).is_err() {
            return None;
        }
        let made = Arc::new(SubscriptionGroupConfig::new(group));
        self.put(made.clone(), now_ms);
        Some((made, Changed::Yes))
    }

    /// Makes or changes a group as UPDATE_AND_CREATE_SUBSCRIPTIONGROUP asks.
    pub fn update(&mut self, config: SubscriptionGroupConfig, now_ms: i64) {
        self.put(Arc::new(config), now_ms);
    }

    /// Deletes a group; its offsets are for somebody else to remove.
    pub fn delete(&mut self, group: &str, now_ms: i64) -> Changed {
        if self.table.groups.remove(group).is_none() {
            return Changed::No;
        }
        self.table.version.change(now_ms);
        Changed::Yes
    }

    /// Lets a group consume no more, until its settings say otherwise. One that is not there stays away.
    pub fn switch_off(&mut self, group: &str, now_ms: i64) -> Changed {
        let Some(config) = self.table.find(group).filter(|config| config.consume_enable) else { return Changed::No };
        let config = SubscriptionGroupConfig { consume_enable: false, ..SubscriptionGroupConfig::clone(config) };
        self.put(Arc::new(config), now_ms);
        Changed::Yes
    }

    fn put(&mut self, config: Arc<SubscriptionGroupConfig>, now_ms: i64) {
        self.table.groups.insert(config.group_name.as_str().into(), config);
        self.table.version.change(now_ms);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    /// `(may be made, group, expected)`
    #[test]
    fn unknown_groups_are_made_when_allowed_and_the_brokers_own_always() {
        let cases = [
            (true, "TOOLS_CONSUMER", Some(Changed::No)),
            (false, "CID_ONSAPI_PULL", Some(Changed::No)),
            (true, "G", Some(Changed::Yes)),
            (false, "G", None),
            (false, "CID_RMQ_SYS_TRANS", Some(Changed::Yes)),
            (true, "no group", None),
            (true, "", None),
        ];
        for (auto_create, group, expected) in cases {
            let mut groups = Groups::new(NOW);
            let found = groups.find_or_create(group, auto_create, NOW + 1);
            assert_eq!(found.as_ref().map(|(_, changed)| *changed), expected, "{group}");
            let counter = i64::from(expected == Some(Changed::Yes));
            assert_eq!(groups.table().version().counter, counter, "{group}");
            if let Some((config, _)) = found {
                assert_eq!(*config, SubscriptionGroupConfig::new(group));
            }
        }
    }

    #[test]
    fn updates_and_deletions_count_and_leave_snapshots_alone() {
        let mut groups = Groups::new(NOW);
        let quiet =
            SubscriptionGroupConfig { notify_consumer_ids_changed_enable: false, ..SubscriptionGroupConfig::new("G") };
        groups.update(quiet, NOW + 1);
        let before = groups.table();
        assert_eq!(groups.delete("G", NOW + 2), Changed::Yes);
        assert_eq!(groups.delete("G", NOW + 3), Changed::No);
        assert!(!before.notifies("G") && groups.table().notifies("G"));
        assert_eq!(groups.table().version(), DataVersion { counter: 2, timestamp: NOW + 2 });
    }

    #[test]
    fn the_file_is_laid_over_the_start_and_read_back() {
        let mut written = Groups::new(NOW);
        written.update(SubscriptionGroupConfig { retry_max_times: 3, ..SubscriptionGroupConfig::new("G") }, NOW + 1);
        let mut read = Groups::new(NOW);
        read.load(&written.table().to_json()).unwrap();
        assert_eq!(read.table().body(), written.table().body());
        assert_eq!(read.table().find("G").unwrap().retry_max_times, 3);

        let newer = r#"{"dataVersion":{"counter":2,"stateVersion":9,"timestamp":1},"subscriptionGroupTable":{"H":{"groupName":"H","consumeTimeoutMinute":15,"retryQueueNums":"2"}},"forbiddenTable":{}}"#;
        read.load(newer).unwrap();
        assert_eq!(read.table().find("H").unwrap().retry_queue_nums, 2);
        assert!(read.load("{").is_err());
    }
}
