//! A reply that is not a success: a code and words for people.

use super::codes::response;
use super::command::Command;
use super::error::ProtocolError;
use super::names::NameError;
use super::units::Opaque;

/// How RocketMQ ends the texts that its users ask about most.
pub const SEE_FAQ: &str = "\nSee http://rocketmq.apache.org/docs/faq/ for further details.";

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`response`].
    pub code: i32,
    /// What was wrong and what to do; tools match on the texts that RocketMQ has.
    pub remark: String,
}

impl Refusal {
    /// A refusal with this code and these words.
    #[must_use]
    pub fn new(code: i32, remark: impl Into<String>) -> Self {
        Self { code, remark: remark.into() }
    }

    /// A refusal for which RocketMQ has no better code than SYSTEM_ERROR.
    #[must_use]
    pub fn error(remark: impl Into<String>) -> Self {
        Self::new(response::SYSTEM_ERROR, remark)
    }

    /// Whether a message that the broker puts is refused whenever it comes: it is illegal, or its topic is being deleted.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        matches!(self.code, response::MESSAGE_ILLEGAL | response::TOPIC_NOT_EXIST)
    }

    /// The refusal as a command; the opaque is set when it is sent.
    #[must_use]
    pub fn into_command(self) -> Command {
        Command::reply(self.code, Opaque(0)).with_remark(self.remark)
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self::error(error.to_string())
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::error(error.to_string())
    }
}
