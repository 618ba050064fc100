//! Which name servers there are: as an operator lists them, and as an address server does.
//!
//! # Source
//! `MixAll.getWSAddr`, `TopAddressing` and `BrokerOuterAPI.fetchNameServerAddr` 4.9.7 (read).

use std::time::Duration;

use thiserror::Error;

/// The port of an address server unless its domain names one.
const ADDRESS_SERVER_PORT: u16 = 8080;

/// Where a broker asks for its name servers, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressServer {
    /// What is asked: `http://{domain}:8080/rocketmq/{sub group}`.
    pub url: String,
    /// How long after its start the broker asks first.
    pub first_after: Duration,
    /// How long after each answer it asks again.
    pub every: Duration,
    /// The longest that an answer may take.
    pub limit: Duration,
}

impl AddressServer {
    /// Of a domain, asked when RocketMQ asks. A domain with a port keeps it.
    #[must_use]
    pub fn at(domain: &str, sub_group: &str) -> Self {
        let has_port = domain.find(':').is_some_and(|place| place > 0);
        let host = if has_port { domain.to_owned() } else { format!("{domain}:{ADDRESS_SERVER_PORT}") };
        Self {
            url: format!("http://{host}/rocketmq/{sub_group}"),
            first_after: Duration::from_secs(10),
            every: Duration::from_secs(120),
            limit: Duration::from_secs(3),
        }
    }
}

/// Why an answer is no list of name servers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoList {
    /// There is nothing in it.
    #[error("it names no name server")]
    Empty,
    /// Something in it is no address.
    #[error("expected host:port;host:port, found {0:?}")]
    Address(String),
}

/// The name servers of a text such as `host:port;host:port`, each once; there may be none.
///
/// # Errors
/// One of them is no address.
pub fn listed(text: &str) -> Result<Vec<String>, NoList> {
    let mut addresses: Vec<String> = Vec::new();
    for address in text.split(';').map(str::trim).filter(|address| !address.is_empty()) {
        if !is_address(address) {
            return Err(NoList::Address(address.into()));
        }
        if !addresses.iter().any(|known| known == address) {
            addresses.push(address.into());
        }
    }
    Ok(addresses)
}

/// What an address server's answer changes: the new list, or none if it is the one that is known.
///
/// # Errors
/// It is no list, and the known one stays.
pub fn heard(known: &[String], answer: &str) -> Result<Option<Vec<String>>, NoList> {
    // Only its first line counts, as in the reference.
    let line = answer.trim().split(['\r', '\n']).next().unwrap_or_default();
    let addresses = listed(line)?;
    if addresses.is_empty() {
        return Err(NoList::Empty);
    }
    Ok((addresses != known).then_some(addresses))
}

fn is_address(text: &str) -> bool {
    // Names, numbers with dots, and IPv6 in brackets, perhaps with a zone.
    let of_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]%".contains(c);
    let is_host = |host: &str| !host.is_empty() && host.chars().all(of_host);
    text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(addresses: &[&str]) -> Vec<String> {
        addresses.iter().map(|address| (*address).into()).collect()
    }

    #[test]
    fn a_domain_with_a_port_keeps_it() {
        for (domain, sub_group, url) in [
            ("jmenv.tbsite.net", "nsaddr", "http://jmenv.tbsite.net:8080/rocketmq/nsaddr"),
            ("addresses", "nsaddr-unit?nofix=1", "http://addresses:8080/rocketmq/nsaddr-unit?nofix=1"),
            ("addresses:81", "nsaddr", "http://addresses:81/rocketmq/nsaddr"),
        ] {
            assert_eq!(AddressServer::at(domain, sub_group).url, url);
        }
        let asked = AddressServer::at("a", "b");
        assert_eq!((asked.first_after, asked.every), (Duration::from_secs(10), Duration::from_secs(120)));
    }

    #[test]
    fn another_list_replaces_the_known_one_and_the_same_changes_nothing() {
        let known = list(&["a:1", "b:2"]);
        for (answer, expected) in [
            ("a:1;b:2", None),
            ("\r\n a:1 ; b:2;\r\n", None),
            ("b:2", Some(list(&["b:2"]))),
            ("b:2;a:1", Some(list(&["b:2", "a:1"]))),
            ("c:3;c:3;;d:4\na:1", Some(list(&["c:3", "d:4"]))),
            ("c:3\rmore", Some(list(&["c:3"]))),
        ] {
            assert_eq!(heard(&known, answer), Ok(expected), "{answer:?}");
        }
    }

    #[test]
    fn what_is_no_list_says_why() {
        for answer in ["", " \r\n", ";;"] {
            assert_eq!(heard(&[], answer), Err(NoList::Empty), "{answer:?}");
        }
        for (answer, found) in [
            ("a", "a"),
            ("a:1;:2", ":2"),
            ("a:65536", "a:65536"),
            ("<html>", "<html>"),
            ("not found:80", "not found:80"),
            ("<a>:80", "<a>:80"),
            ("\u{fffd}:80", "\u{fffd}:80"),
        ] {
            assert_eq!(heard(&[], answer), Err(NoList::Address(found.into())), "{answer:?}");
        }
    }
}
