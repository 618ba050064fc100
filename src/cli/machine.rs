//! What a server takes from the machine it runs on where nobody tells it.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open queues, and ten thousand clients: eight bytes of the kernel's memory each.
const DESCRIPTORS_EXPECTED: u64 = 16 * 1024;

/// An address of a private network. Connecting a datagram socket to it sends nothing; it only makes the system choose
/// the address that it would send from.
const SOMEWHERE_PRIVATE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 255, 255, 255)), 1);

/// The host's name, RocketMQ's default of `brokerName`.
pub(super) fn host_name() -> Option<String> {
    let system = rustix::system::uname();
    system.nodename().to_str().ok().filter(|name| !name.is_empty()).map(Into::into)
}

/// Lets this process have as many file descriptors as it may ask for: the usual 1,024 are few for a server's clients,
/// and for an index of many files.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where more cannot be had, what there is has to do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Has the kernel make its table of this process's file descriptors large enough for most of them, which it otherwise makes
/// larger time and again: once there are threads, whoever opens a file or takes a connection at that moment waits for 10 ms
/// and more (measured, Linux 6.18). To be called before there are any.
pub(super) fn make_room_for_descriptors() {
    let most =
        getrlimit(Resource::Nofile).current.map_or(DESCRIPTORS_EXPECTED, |limit| limit.min(DESCRIPTORS_EXPECTED));
    let Some(last) = most.checked_sub(1).and_then(|last| i32::try_from(last).ok()) else { return };
    // The table keeps its size when the descriptor is closed again. Where it cannot be had, there is a wait now and then.
    let _ = File::open("/dev/null").map(|file| fcntl_dupfd_cloexec(file, last));
}

/// The user's directory, under which RocketMQ puts `store` and `namesrv`; the current one where there is none.
pub(super) fn home() -> PathBuf {
    std::env::var_os("HOME").filter(|path| !path.is_empty()).map_or_else(|| ".".into(), PathBuf::from)
}

/// The address that others reach a server at that is bound to `bound`: that very one, or, when it is bound to all of
/// them, the one that this machine has in its private network.
pub(super) fn reachable(bound: IpAddr) -> IpAddr {
    if !bound.is_unspecified() {
        return bound;
    }
    let chosen = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(SOMEWHERE_PRIVATE)?;
        socket.local_addr()
    });
    chosen.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// The first address of a host, given as an address or a name.
pub(super) fn resolve(host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| Some((host, 0).to_socket_addrs().ok()?.next()?.ip()))
}

/// The same as a parser of arguments.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    resolve(text).ok_or_else(|| "expected an IP address or a host name that resolves".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_address_is_announced_and_all_of_them_are_not() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(reachable(loopback), loopback);
        assert!(!reachable(Ipv4Addr::UNSPECIFIED.into()).is_unspecified());
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        assert_eq!(resolve("10.1.2.3"), Some(Ipv4Addr::new(10, 1, 2, 3).into()));
        assert_eq!(resolve("no such host"), None);
    }
}
