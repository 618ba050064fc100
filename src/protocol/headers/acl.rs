//! Access control: who may do what, as brokers keep it in files.

use super::headers;

headers! {
    /// UPDATE_AND_CREATE_ACL_CONFIG. What is left out stays as it is.
    UpdateAccess {
        /// The account.
        access_key: text "accessKey",
        /// What it shares with brokers.
        secret_key: optional_text "secretKey",
        /// Where it may come from without a signature.
        white_remote_address: optional_text "whiteRemoteAddress",
        /// Whether it may change topics, groups and settings. Java cannot leave it out.
        admin: bool_or_false "admin",
        /// What it may do with topics that are not named.
        default_topic_perm: optional_text "defaultTopicPerm",
        /// The same of groups.
        default_group_perm: optional_text "defaultGroupPerm",
        /// What it may do with topics, as `topicA=DENY,topicB=PUB|SUB`.
        topic_perms: optional_text "topicPerms",
        /// The same of groups.
        group_perms: optional_text "groupPerms",
    }

    /// DELETE_ACL_CONFIG.
    DeleteAccess {
        /// The account.
        access_key: text "accessKey",
    }

    /// UPDATE_GLOBAL_WHITE_ADDRS_CONFIG.
    UpdateGlobalAddresses {
        /// Who needs no account, as addresses with commas between them.
        global_white_addrs: text "globalWhiteAddrs",
        /// The file that they are for; the broker's default file unless another one is named.
        acl_file_full_path: optional_text "aclFileFullPath",
    }

    /// What GET_BROKER_CLUSTER_ACL_INFO is answered with.
    AclVersionsReply {
        /// The version of the default file: JSON of a data version.
        version: text "version",
        /// The versions of all files: JSON of an object from paths to data versions.
        all_acl_file_version: optional_text "allAclFileVersion",
        /// The broker's set.
        broker_name: text "brokerName",
        /// Its address.
        broker_addr: text "brokerAddr",
        /// Its cluster.
        cluster_name: text "clusterName",
    }
}
