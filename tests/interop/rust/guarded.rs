//! Servers of RocketMQ that take encrypted connections only, each side with a certificate, and a broker that asks who may do what:
//! tests/interop/driver/guarded.py.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferromq::admin::{Admin, AdminError};
use ferromq::client::discovery::NAME_SERVERS_VARIABLE;
use ferromq::client::{
    Client, ClientError, ClientOptions, ConnectionOptions, Connections, Identity, OutgoingMessage, Tls, TlsAdvice,
    TlsOptions, Trust,
};
use ferromq::protocol::body::acl::AccessConfig;
use ferromq::protocol::body::topic_config::{Permission, TopicConfig};
use ferromq::protocol::names::Topic;
use ferromq::protocol::signature::Credentials;

use crate::Outcome;
use crate::inbox::{Inbox, expect, from_the_first, numbered, reader, send, until};

/// Who may do everything, and who may send and receive.
const ADMINISTRATOR: (&str, &str) = ("administrator", "12345678");
const APPLICATION: (&str, &str) = ("application", "87654321");

/// What is known of the servers.
pub(crate) struct Guard {
    directory: PathBuf,
}

impl Guard {
    /// The certificates lie in this directory.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.into() }
    }

    fn tls(&self, authority: &str) -> TlsOptions {
        let path = |name: &str| self.directory.join(name);
        let identity = Identity { certificates: path("client.pem"), key: path("client.key") };
        TlsOptions { trust: Trust::AuthoritiesIn(path(authority)), identity: Some(identity), server_name: None }
    }

    async fn client(&self, keys: Option<(&str, &str)>) -> Result<Client, ClientError> {
        let tls = Some(self.tls("authority.pem"));
        Client::new(ClientOptions { credentials: keys.map(credentials), tls, ..ClientOptions::of_environment()? }).await
    }

    /// An administrator with these keys, and the broker's address.
    async fn admin(&self, keys: Option<(&str, &str)>) -> Result<(Admin, String), Box<dyn Error>> {
        let tls = Some(Tls::new(&self.tls("authority.pem"))?);
        let credentials = keys.map(credentials).map(Arc::new);
        let connections = Connections::new(ConnectionOptions { credentials, tls, ..ConnectionOptions::default() });
        let admin = Admin::on(connections, &std::env::var(NAME_SERVERS_VARIABLE)?)?;
        // The name server asks nobody for keys.
        let info = admin.cluster_info().await?;
        let set = info.broker_addr_table.into_values().next().ok_or("no broker is registered")?;
        Ok((admin, set.broker_addrs[&0].clone()))
    }

    pub(crate) async fn plain_is_not_served(&self) -> Outcome {
        let client = Client::new(ClientOptions::of_environment()?).await?;
        let error = sent(&client, "Plain").await.err().ok_or("it was")?;
        expect(matches!(error, ClientError::Closed { .. }), || format!("{error:?}"))
    }

    pub(crate) async fn strangers_are_not_believed(&self) -> Outcome {
        let tls = Some(self.tls("stranger.pem"));
        let client = Client::new(ClientOptions { tls, ..ClientOptions::of_environment()? }).await?;
        let error = sent(&client, "Stranger").await.err().ok_or("it was")?;
        let is_told = matches!(error, ClientError::Tls { advice: TlsAdvice::TrustItsAuthority, .. });
        expect(is_told, || format!("{error:?}"))
    }

    pub(crate) async fn unsigned_is_refused(&self) -> Outcome {
        self.is_refused(None, "No accessKey is configured").await
    }

    pub(crate) async fn wrongly_signed_is_refused(&self) -> Outcome {
        let (access_key, _) = APPLICATION;
        self.is_refused(Some((access_key, "guessed it")), "Check signature failed for accessKey=application").await?;
        self.is_refused(Some(("nobody-here", "guessed it")), "No acl config for nobody-here").await
    }

    /// Whether who sends with these keys, and asks, is told why not.
    async fn is_refused(&self, keys: Option<(&str, &str)>, reason: &str) -> Outcome {
        let error = sent(&self.client(keys).await?, "Refused").await.err().ok_or("it was sent")?.to_string();
        expect(error.contains(reason), || error)?;
        let (admin, broker) = self.admin(keys).await?;
        let error = admin.runtime_info(&broker).await.err().ok_or("it was answered")?.to_string();
        expect(error.contains(reason), || error)
    }

    pub(crate) async fn signed_is_served(&self) -> Outcome {
        let (client, inbox) = (self.client(Some(APPLICATION)).await?, Inbox::default());
        let bodies = numbered(0..20);
        send(&client, "Served", &bodies).await?;
        let consumer = reader(&client, "Served", "Served", from_the_first(), &inbox).await?;
        inbox.holds(20).await;
        consumer.stop().await?;
        expect(inbox.bodies() == bodies, || format!("{:?}", inbox.bodies()))?;
        let (admin, broker) = self.admin(Some(APPLICATION)).await?;
        let stats = admin.topic_stats(&broker, &Topic::parse("Served")?).await?;
        let stored: i64 = stats.offset_table.values().map(|queue| queue.max_offset).sum();
        expect(stored == 20, || format!("{stats:?}"))
    }

    pub(crate) async fn no_administrator_is_refused(&self) -> Outcome {
        let config = TopicConfig::new("Made", 1, Permission::READ_WRITE);
        let (admin, broker) = self.admin(Some(APPLICATION)).await?;
        let error = admin.save_topic(&broker, &config).await.err().ok_or("the topic was made")?.to_string();
        expect(error.contains("Need admin permission for request code=17"), || error)?;
        let (admin, broker) = self.admin(Some(ADMINISTRATOR)).await?;
        Ok(admin.save_topic(&broker, &config).await?)
    }

    pub(crate) async fn accounts_come_and_go(&self) -> Outcome {
        let (admin, broker) = self.admin(Some(ADMINISTRATOR)).await?;
        let before = admin.acl_versions(&broker).await?;
        let account = AccessConfig {
            access_key: Some("newcomer".into()),
            secret_key: Some("a secret".into()),
            default_topic_perm: Some("DENY".into()),
            default_group_perm: Some("SUB".into()),
            topic_perms: vec!["Allowed=PUB|SUB".into()],
            ..AccessConfig::default()
        };
        admin.update_access(&broker, &account).await?;
        let stored = self.account(&admin, &broker, "newcomer").await?;
        expect(stored.as_ref() == Some(&account), || format!("{stored:?}"))?;
        let newcomer = self.client(Some(("newcomer", "a secret"))).await?;
        sent(&newcomer, "Allowed").await?;
        let error = sent(&newcomer, "Made").await.err().ok_or("it may send to every topic")?.to_string();
        expect(error.contains("No default permission for topic:Made"), || error)?;
        // What is not said stays.
        let (access_key, secret_key) = (account.access_key.clone(), account.secret_key.clone());
        let change = AccessConfig { default_topic_perm: Some("PUB".into()), ..AccessConfig::default() };
        admin.update_access(&broker, &AccessConfig { access_key, secret_key, ..change }).await?;
        let changed = AccessConfig { default_topic_perm: Some("PUB".into()), ..account };
        let stored = self.account(&admin, &broker, "newcomer").await?;
        expect(stored.as_ref() == Some(&changed), || format!("{stored:?}"))?;
        sent(&newcomer, "Made").await?;
        admin.delete_access(&broker, "newcomer").await?;
        let error = sent(&newcomer, "Allowed").await.err().ok_or("it may still send")?.to_string();
        expect(error.contains("No acl config for newcomer"), || error)?;
        let error = admin.delete_access(&broker, "newcomer").await.err().ok_or("it was still there")?;
        expect(error.refusal() == Some(210), || error.to_string())?;
        let after = admin.acl_versions(&broker).await?;
        let counted = |versions: &ferromq::admin::AclVersions| versions.files.values().map(|file| file.counter).sum();
        let (then, now): (i64, i64) = (counted(&before), counted(&after));
        expect(now == then + 3 && before.broker_name == "broker-a", || format!("{before:?} and {after:?}"))
    }

    async fn account(&self, admin: &Admin, broker: &str, key: &str) -> Result<Option<AccessConfig>, AdminError> {
        let accounts = admin.acl_config(broker).await?.plain_access_configs;
        Ok(accounts.into_iter().find(|account| account.access_key.as_deref() == Some(key)))
    }

    pub(crate) async fn addresses_are_let_in(&self) -> Outcome {
        let (admin, broker) = self.admin(Some(ADMINISTRATOR)).await?;
        let addresses = ["10.10.103.*".to_owned(), "127.0.0.*".to_owned()];
        admin.update_global_addresses(&broker, &addresses, None).await?;
        let config = admin.acl_config(&broker).await?;
        expect(config.global_white_addrs == addresses, || format!("{config:?}"))?;
        // Everybody here is at one of them now; the broker looks at the file every 5 seconds.
        let unsigned = self.client(None).await?;
        until(async || sent(&unsigned, "Open").await.is_ok()).await;
        let files = admin.acl_versions(&broker).await?.files.into_keys().collect::<Vec<_>>();
        let [file] = &files[..] else { return Err(format!("{files:?}").into()) };
        admin.update_global_addresses(&broker, &addresses[..1], Some(file)).await?;
        until(async || sent(&unsigned, "Open").await.is_err()).await;
        Ok(())
    }
}

fn credentials((access_key, secret_key): (&str, &str)) -> Credentials {
    Credentials { access_key: access_key.into(), secret_key: secret_key.into(), security_token: None }
}

/// Sends one message.
async fn sent(client: &Client, topic: &str) -> Result<(), ClientError> {
    let producer = client.producer("senders").start().await?;
    let outcome = producer.send(&OutgoingMessage::to(topic, "hello")?).await;
    producer.stop().await?;
    outcome.map(drop)
}
