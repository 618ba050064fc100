//! Signatures of requests: who may do what goes by an access key, which a secret shared with the broker vouches for.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::command::{Command, ExtFields};

const ACCESS_KEY: &str = "AccessKey";
const SECURITY_TOKEN: &str = "SecurityToken";
const SIGNATURE: &str = "Signature";
/// The one field that 4.9.7 brokers leave out of what they check, as clients up to 4.9.3 leave it out of what they sign.
const NOT_SIGNED: &str = "_UNIQUE_KEY_QUERY";

/// What a client proves with who it is.
///
/// # Example
/// ```
/// use ferromq::client::ClientOptions;
/// use ferromq::protocol::signature::Credentials;
///
/// let (access_key, secret_key) = ("RocketMQ".to_owned(), "12345678".to_owned());
/// let credentials = Credentials { access_key, secret_key, security_token: None };
/// let options = ClientOptions { credentials: Some(credentials), ..ClientOptions::of("10.0.0.1:9876") };
/// assert!(!format!("{:?}", options.credentials).contains("12345678"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it is.
    pub access_key: String,
    /// What it shares with brokers, and never sends.
    pub secret_key: String,
    /// What a security service has given it for a while.
    pub security_token: Option<String>,
}

impl Credentials {
    /// A request with the fields that say who sends it.
    ///
    /// # Layout
    /// `Signature` is the Base64 of HMAC-SHA1 by the secret over the values of all other fields, in the byte order of their names
    /// and with nothing between them, and the body behind them.
    ///
    /// # Source
    /// `AclClientRPCHook`, `AclUtils.combineRequestContent` 4.9.7 (read); fixtures `acl_sign_*`.
    #[must_use]
    pub fn sign(&self, request: Command) -> Command {
        let mut fields: Vec<(String, String)> =
            request.ext.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        fields.push((ACCESS_KEY.into(), self.access_key.clone()));
        fields.extend(self.security_token.iter().map(|token| (SECURITY_TOKEN.into(), token.clone())));
        fields.sort();
        let signature = self.signature(&fields, &request.body);
        let mut ext = ExtFields::builder();
        for (name, value) in &fields {
            ext.push(name, value);
        }
        ext.push(SIGNATURE, signature);
        request.with_ext(ext.build())
    }

    fn signature(&self, sorted: &[(String, String)], body: &[u8]) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret_key.as_bytes()).expect("a key may have any length");
        for (name, value) in sorted {
            if name != NOT_SIGNED && name != SIGNATURE {
                mac.update(value.as_bytes());
            }
        }
        mac.update(body);
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// Without the secret, which has no place in a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}
