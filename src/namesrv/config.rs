//! The name server's settings: read from a properties file, shown and changed by tools.
//!
//! A change is a new value with the text to be written to its file; nothing here touches files. Keys of RocketMQ that
//! have no effect here (Java's threads and buffers) are kept and shown, since tools compare them between name servers.

use std::sync::Arc;

use thiserror::Error;

use crate::properties_file::server_keys::SERVER_KEYS;
use crate::properties_file::{Key, Origin, Refusal, Settings, SettingsError, entries};

/// The port of a name server unless told otherwise.
pub const NAMESRV_PORT: u16 = 9_876;

const KV_CONFIG_PATH: &str = "kvConfigPath";
const CONFIG_STORE_PATH: &str = "configStorePath";

/// Keys that a tool may not change: it could make the server write anywhere.
const REFUSED_KEYS: [&str; 2] = [KV_CONFIG_PATH, CONFIG_STORE_PATH];

/// The 6 keys of `NamesrvConfig`; its file may contain those of [`SERVER_KEYS`] too.
///
/// # Source
/// `NamesrvConfig` 4.9.7 (read).
pub static NAMESRV_KEYS: &[Key] = &[
    Key::text("rocketmqHome", "").no_effect(),
    Key::text(KV_CONFIG_PATH, "").at_start(),
    Key::text(CONFIG_STORE_PATH, "").at_start(),
    Key::text("productEnvName", "center").later(),
    Key::switch("clusterTest", false).later(),
    Key::switch("orderMessageEnable", false),
];

/// Why settings are not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A key may not be changed at run time: NO_PERMISSION.
    #[error("Can not update config path: {0}")]
    Refused(&'static str),
    /// A value is not what its key takes, or comes too late.
    #[error("{0}")]
    Value(Refusal),
    /// The text is no properties file.
    #[error(transparent)]
    Syntax(#[from] SettingsError),
}

/// The settings of a name server, never changed but replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesrvConfig {
    /// `listenPort`; 0 lets the system choose, for tests.
    pub listen_port: u16,
    /// `kvConfigPath`; empty for `kvConfig.json` in the data directory.
    pub kv_config_path: String,
    /// `configStorePath`: where changes made by tools are written; empty for `namesrv.properties` in the data directory.
    pub config_store_path: String,
    /// `orderMessageEnable`: whether routes carry the order of topics.
    pub order_message_enable: bool,
    /// `serverChannelMaxIdleTimeSeconds`: after how many seconds a silent connection is closed.
    pub idle_seconds_max: u32,
    /// Every key, the above included.
    settings: Arc<Settings>,
}

impl Default for NamesrvConfig {
    fn default() -> Self {
        Self::from_settings(Self::settings_at_default())
    }
}

impl NamesrvConfig {
    /// Every key that a name server's file may contain, at its default.
    #[must_use]
    pub fn settings_at_default() -> Settings {
        let mut settings = Settings::new(&[NAMESRV_KEYS, SERVER_KEYS]);
        settings
            .set(Origin::Default, "default", "listenPort", &NAMESRV_PORT.to_string())
            .expect("the port is within the bounds of its key");
        settings
    }

    /// Reads the settings into types.
    #[must_use]
    pub fn from_settings(settings: Settings) -> Self {
        Self {
            listen_port: settings.number("listenPort"),
            kv_config_path: settings.text(KV_CONFIG_PATH).into(),
            config_store_path: settings.text(CONFIG_STORE_PATH).into(),
            order_message_enable: settings.switch("orderMessageEnable"),
            idle_seconds_max: settings.number("serverChannelMaxIdleTimeSeconds"),
            settings: Arc::new(settings),
        }
    }

    /// The settings after UPDATE_NAMESRV_CONFIG with these properties; keys that no name server knows are passed over.
    ///
    /// # Errors
    /// A refused key, not a properties text, or a value that is not what its key takes; nothing is changed then.
    ///
    /// # Source
    /// `DefaultRequestProcessor.updateConfig` of the name server 4.9.7 (read).
    pub fn updated(&self, properties: &str) -> Result<Self, ConfigError> {
        let given = entries("update", properties.as_bytes())?;
        if let Some(refused) = REFUSED_KEYS.into_iter().find(|key| given.iter().any(|entry| entry.key == *key)) {
            return Err(ConfigError::Refused(refused));
        }
        let update = self.settings.update(properties.as_bytes())?;
        match update.refused.into_iter().find(|refusal| !matches!(refusal, Refusal::UnknownKey(_))) {
            Some(refusal) => Err(ConfigError::Value(refusal)),
            None => Ok(Self::from_settings(update.settings)),
        }
    }

    /// All settings as a properties text: answer of GET_NAMESRV_CONFIG, what `-p` prints and what is written to the file.
    #[must_use]
    pub fn to_properties(&self) -> String {
        self.settings.render()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::properties_file::Notice;

    fn read(text: &str) -> (NamesrvConfig, Vec<Notice>) {
        let mut settings = NamesrvConfig::settings_at_default();
        let notices = settings.read("namesrv.conf", text.as_bytes()).unwrap();
        (NamesrvConfig::from_settings(settings), notices)
    }

    #[test]
    fn a_file_is_read_over_the_defaults() {
        let file = "# name server\nlistenPort = 9999\norderMessageEnable=true\nfoo=1\nserverWorkerThreads=4\n";
        let (config, notices) = read(file);
        assert_eq!((config.listen_port, config.order_message_enable, config.idle_seconds_max), (9999, true, 120));
        assert!(matches!(notices.as_slice(), [Notice::UnknownKey { .. }, Notice::NoEffect { .. }]), "{notices:?}");
        let shown = config.to_properties();
        assert!(shown.contains("listenPort=9999\n") && shown.contains("serverWorkerThreads=4\n"), "{shown}");
    }

    #[test]
    fn a_value_cannot_smuggle_in_another_key() {
        let (config, _) = read("productEnvName=tägß\\nkvConfigPath=/etc\\\\x");
        let (again, _) = read(&config.to_properties());
        assert_eq!(again.settings.text("productEnvName"), "tägß\nkvConfigPath=/etc\\x");
        assert_eq!(again.kv_config_path, "");
    }

    #[test]
    fn tools_change_what_they_may() {
        let config = NamesrvConfig::default();
        let changed = config.updated("orderMessageEnable=true\nunknown=1").unwrap();
        assert!(changed.order_message_enable && !config.order_message_enable);
        assert!(!changed.to_properties().contains("unknown"));

        for (properties, expected) in [
            ("kvConfigPath=/etc/passwd", "Can not update config path: kvConfigPath"),
            ("listenPort=1\nconfigStorePath=x", "Can not update config path: configStorePath"),
            ("listenPort=70000", "update:1: listenPort: expected a whole number from 0 to 65533, found \"70000\""),
            ("orderMessageEnable=yes", "update:1: orderMessageEnable: expected true or false, found \"yes\""),
        ] {
            assert_eq!(config.updated(properties).unwrap_err().to_string(), expected, "{properties}");
        }
    }
}
