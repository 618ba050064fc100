//! What to do when a server does not let a command in, in the words of its options.

use anyhow::anyhow;

use crate::admin::AdminError;
use crate::cli::told;
use crate::client::{ClientError, TlsAdvice};

/// What RocketMQ's refusals by access control say.
const ACL_EXCEPTION: &str = "org.apache.rocketmq.acl.common.AclException";

/// The error with advice behind it, if there is any.
pub(super) fn added_to(error: anyhow::Error, is_signed: bool, is_encrypted: bool) -> anyhow::Error {
    let advice = error.chain().find_map(client_error).and_then(|error| about(error, is_signed, is_encrypted));
    match advice {
        // What the library says is in the words of its own options.
        Some(advice) => anyhow!("{}; {advice}", told(&error)),
        None => error,
    }
}

/// The error of the client that this one is, or holds.
fn client_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a ClientError> {
    let own = || error.downcast_ref::<ClientError>();
    let boxed = || error.downcast_ref::<Box<ClientError>>().map(|error| &**error);
    let of_admin = || match error.downcast_ref::<AdminError>() {
        Some(AdminError::Client(error)) => Some(error),
        _ => None,
    };
    own().or_else(boxed).or_else(of_admin)
}

fn about(error: &ClientError, is_signed: bool, is_encrypted: bool) -> Option<&'static str> {
    match error {
        ClientError::GaveUp { last, .. } => about(last, is_signed, is_encrypted),
        ClientError::Tls { advice, .. } => about_tls(*advice),
        ClientError::Closed { .. } if !is_encrypted => {
            Some("a server that wants TLS closes plain connections: try --tls")
        }
        ClientError::Refused { remark, .. } if remark.contains(ACL_EXCEPTION) => Some(about_keys(remark, is_signed)),
        _ => None,
    }
}

fn about_tls(advice: TlsAdvice) -> Option<&'static str> {
    match advice {
        TlsAdvice::SpeakPlain => Some("that is: leave the options about TLS out"),
        TlsAdvice::TrustItsAuthority => Some("that is: --tls-trust FILE"),
        TlsAdvice::SayItsName => Some("that is: --tls-server-name NAME"),
        TlsAdvice::SayWhoYouAre => Some("that is: --tls-certificate FILE --tls-key FILE"),
        _ => None,
    }
}

fn about_keys(remark: &str, is_signed: bool) -> &'static str {
    if !is_signed {
        "it wants signed requests: name a file of keys with --credentials, or set FERROMQ_ACCESS_KEY and FERROMQ_SECRET_KEY"
    } else if remark.contains("Check signature failed") || remark.contains("No acl config for") {
        "the keys of --credentials, of the environment or of conf/tools.yml under ROCKETMQ_HOME are not those that it knows"
    } else {
        "the access key may not do that; one that is an administrator's may, or can allow it with updateAclConfig"
    }
}
