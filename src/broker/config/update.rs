//! What a change of the configuration has come to.

use super::BrokerConfig;
use crate::properties_file::Refusal;

/// What UPDATE_BROKER_CONFIG did.
#[derive(Clone, Debug)]
pub struct ConfigUpdate {
    /// The configuration after it.
    pub config: BrokerConfig,
    /// Keys whose value is another one now. `brokerPermission` among them calls for a new data version.
    pub changed: Vec<&'static str>,
    /// What was not taken; everything else was.
    pub refused: Vec<Refusal>,
}

impl ConfigUpdate {
    /// Keys that nobody knows: as in RocketMQ they are passed over.
    pub fn unknown(&self) -> impl Iterator<Item = &Refusal> {
        self.refused.iter().filter(|refusal| matches!(refusal, Refusal::UnknownKey(_)))
    }

    /// What the tool is told that wanted more than could be done.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let wrong = self.refused.iter().filter(|refusal| !matches!(refusal, Refusal::UnknownKey(_)));
        let wrong: Vec<String> = wrong.map(ToString::to_string).collect();
        let changed = match self.changed.as_slice() {
            [] => String::new(),
            changed => format!("; changed: {}", changed.join(", ")),
        };
        (!wrong.is_empty()).then(|| format!("{}{changed}", wrong.join("; ")))
    }
}
