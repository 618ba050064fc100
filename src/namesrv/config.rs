//! The name server's settings: read from a properties file, shown and changed by tools.
//!
//! A change is a new value with the text to be written to its file; nothing here touches files. Keys of RocketMQ that
//! have no effect here (Java's threads and buffers) are kept and shown, since tools compare them between name servers.

use std::collections::BTreeMap;
use std::str::FromStr;

use java_properties::PropertiesIter;
use thiserror::Error;

/// Where the server listens.
const LISTEN_PORT: &str = "listenPort";
const KV_CONFIG_PATH: &str = "kvConfigPath";
const CONFIG_STORE_PATH: &str = "configStorePath";
const ORDER_MESSAGE_ENABLE: &str = "orderMessageEnable";
const CLUSTER_TEST: &str = "clusterTest";

/// Keys that a tool may not change: it could make the server write anywhere.
const REFUSED_KEYS: [&str; 2] = [KV_CONFIG_PATH, CONFIG_STORE_PATH];

/// Every key with its default.
///
/// # Source
/// `NamesrvConfig` and `NettyServerConfig` 4.9.7 (read), as listed in `spec/store-config.md`.
const DEFAULTS: [(&str, &str); 20] = [
    (CLUSTER_TEST, "false"),
    (CONFIG_STORE_PATH, ""),
    (KV_CONFIG_PATH, ""),
    (LISTEN_PORT, "9876"),
    (ORDER_MESSAGE_ENABLE, "false"),
    ("productEnvName", "center"),
    ("rocketmqHome", ""),
    ("serverAsyncSemaphoreValue", "64"),
    ("serverCallbackExecutorThreads", "0"),
    ("serverChannelMaxIdleTimeSeconds", "120"),
    ("serverOnewaySemaphoreValue", "256"),
    ("serverPooledByteBufAllocatorEnable", "true"),
    ("serverSelectorThreads", "3"),
    ("serverSocketBacklog", "1024"),
    ("serverSocketRcvBufSize", "0"),
    ("serverSocketSndBufSize", "0"),
    ("serverWorkerThreads", "8"),
    ("useEpollNativeSelector", "false"),
    ("writeBufferHighWaterMark", "0"),
    ("writeBufferLowWaterMark", "0"),
];

/// Why settings are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no properties file.
    #[error("not a properties text: {0}")]
    Syntax(String),
    /// A key may not be changed at run time: NO_PERMISSION.
    #[error("Can not update config path: {0}")]
    Refused(&'static str),
    /// A value is not what its key takes.
    #[error("{key}={value}: expected {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was found.
        value: String,
        /// What should have been there.
        expected: &'static str,
    },
}

/// The settings of a name server, never changed but replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesrvConfig {
    /// `listenPort`.
    pub listen_port: u16,
    /// `kvConfigPath`; empty for `kvConfig.json` in the data directory.
    pub kv_config_path: String,
    /// `configStorePath`: where changes made by tools are written; empty for `namesrv.properties` in the data directory.
    pub config_store_path: String,
    /// `orderMessageEnable`: whether routes carry the order of topics.
    pub order_message_enable: bool,
    /// `serverChannelMaxIdleTimeSeconds`: after how many seconds a silent connection is closed.
    pub idle_seconds_max: u32,
    /// Everything as text, the above included.
    texts: BTreeMap<String, String>,
}

impl Default for NamesrvConfig {
    fn default() -> Self {
        Self::from_texts(BTreeMap::new()).expect("the defaults are legal")
    }
}

impl NamesrvConfig {
    /// Reads a properties file over the defaults, and returns the keys in it that no name server knows.
    ///
    /// # Errors
    /// Not a properties file, or a value that is not what its key takes.
    pub fn parse(text: &str) -> Result<(Self, Vec<String>), ConfigError> {
        let (known, unknown) = read(text)?.into_iter().partition(|(key, _)| is_known(key));
        let unknown: BTreeMap<String, String> = unknown;
        Ok((Self::from_texts(known)?, unknown.into_keys().collect()))
    }

    /// The settings after UPDATE_NAMESRV_CONFIG with these properties; keys that no name server knows are passed over.
    ///
    /// # Errors
    /// A refused key, not a properties text, or a value that is not what its key takes; nothing is changed then.
    ///
    /// # Source
    /// `DefaultRequestProcessor.updateConfig` of the name server 4.9.7 (read).
    pub fn updated(&self, properties: &str) -> Result<Self, ConfigError> {
        let changes = read(properties)?;
        if let Some(refused) = REFUSED_KEYS.into_iter().find(|key| changes.contains_key(*key)) {
            return Err(ConfigError::Refused(refused));
        }
        let mut texts = self.texts.clone();
        texts.extend(changes.into_iter().filter(|(key, _)| is_known(key)));
        Self::from_texts(texts)
    }

    /// All settings as a properties text: answer of GET_NAMESRV_CONFIG, and what is written to the file.
    ///
    /// # Layout
    /// `key=value` lines in UTF-8, as the reference writes them, which escapes nothing. We escape what would otherwise
    /// read back as something else: a line break in a value could smuggle in a refused key.
    #[must_use]
    pub fn to_properties(&self) -> String {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        self.texts.iter().map(|(key, value)| format!("{key}={}\n", escaped(value))).collect()
    }

    fn from_texts(given: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut texts: BTreeMap<String, String> =
            DEFAULTS.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        texts.extend(given);
        Ok(Self {
            listen_port: value(&texts, LISTEN_PORT, "a port")?,
            kv_config_path: value(&texts, KV_CONFIG_PATH, "a path")?,
            config_store_path: value(&texts, CONFIG_STORE_PATH, "a path")?,
            order_message_enable: value(&texts, ORDER_MESSAGE_ENABLE, "true or false")?,
            idle_seconds_max: value(&texts, "serverChannelMaxIdleTimeSeconds", "a number of seconds")?,
            texts,
        })
    }
}

fn is_known(key: &str) -> bool {
    DEFAULTS.iter().any(|(known, _)| *known == key)
}

fn read(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    // The library reads Latin-1, as Java once did; escaped, every character gets through.
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            ascii.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    let mut texts = BTreeMap::new();
    PropertiesIter::new(ascii.as_bytes())
        .read_into(|key, value| {
            texts.insert(key, value.trim().to_owned());
        })
        .map_err(|error| ConfigError::Syntax(error.to_string()))?;
    Ok(texts)
}

fn value<T: FromStr>(
    texts: &BTreeMap<String, String>,
    key: &'static str,
    expected: &'static str,
) -> Result<T, ConfigError> {
    let text = texts.get(key).map_or("", String::as_str);
    text.parse().map_err(|_| ConfigError::Value { key, value: text.into(), expected })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_over_the_defaults() {
        let file = "# name server\nlistenPort = 9999\norderMessageEnable=true\nfoo=1\nserverWorkerThreads=4\n";
        let (config, unknown) = NamesrvConfig::parse(file).unwrap();
        assert_eq!((config.listen_port, config.order_message_enable, config.idle_seconds_max), (9999, true, 120));
        assert_eq!(unknown, ["foo"]);
        let shown = config.to_properties();
        assert!(shown.contains("listenPort=9999\n") && shown.contains("serverWorkerThreads=4\n"), "{shown}");
        assert_eq!(NamesrvConfig::parse(&shown).unwrap().0, config);
    }

    #[test]
    fn odd_values_read_back_as_they_were() {
        let odd = "productEnvName=tägß\\nkvConfigPath=/etc\\\\x";
        let (config, _) = NamesrvConfig::parse(odd).unwrap();
        let (again, _) = NamesrvConfig::parse(&config.to_properties()).unwrap();
        assert_eq!(again, config);
        assert_eq!(config.texts["productEnvName"], "tägß\nkvConfigPath=/etc\\x");
        assert_eq!(again.kv_config_path, "");
    }

    #[test]
    fn tools_change_what_they_may() {
        let config = NamesrvConfig::default();
        let changed = config.updated("orderMessageEnable=true\nunknown=1").unwrap();
        assert!(changed.order_message_enable && !config.order_message_enable);
        assert!(!changed.to_properties().contains("unknown"));

        let value = |key, value: &str, expected| ConfigError::Value { key, value: value.into(), expected };
        let cases = [
            ("kvConfigPath=/etc/passwd", ConfigError::Refused("kvConfigPath")),
            ("listenPort=1\nconfigStorePath=x", ConfigError::Refused("configStorePath")),
            ("listenPort=70000", value("listenPort", "70000", "a port")),
            ("orderMessageEnable=yes", value("orderMessageEnable", "yes", "true or false")),
        ];
        for (properties, expected) in cases {
            assert_eq!(config.updated(properties), Err(expected), "{properties}");
        }
    }
}
