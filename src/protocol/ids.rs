//! The two ids of a message: where it lies, and what its producer called it.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::text::hex_word;
use crate::protocol::units::PhysicalOffset;

/// The id that tells the broker's address and the place in its log: 32 upper-case hex digits, 56 with IPv6.
#[must_use]
pub fn offset_id(store_host: SocketAddr, offset: PhysicalOffset) -> String {
    let mut id = hex_address(store_host.ip());
    let _ = write!(id, "{:08X}{:016X}", u32::from(store_host.port()), offset.0);
    id
}

/// Reads an offset id in either case; `None` if it is not one.
#[must_use]
pub fn parse_offset_id(id: &str) -> Option<(SocketAddr, PhysicalOffset)> {
    if !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let address = match id.len() {
        32 => IpAddr::from(u32::from_str_radix(id.get(..8)?, 16).ok()?.to_be_bytes()),
        56 => IpAddr::from(u128::from_str_radix(id.get(..32)?, 16).ok()?.to_be_bytes()),
        _ => return None,
    };
    let port = u32::from_str_radix(id.get(id.len() - 24..id.len() - 16)?, 16).ok()?;
    let offset = u64::from_str_radix(id.get(id.len() - 16..)?, 16).ok()?;
    Some((SocketAddr::new(address, u16::try_from(port).ok()?), PhysicalOffset(offset)))
}

/// Makes the ids that producers put into `UNIQ_KEY`.
///
/// # Layout
/// Address (4 or 16 bytes), process id i16, a number of this instance i32, milliseconds since the month began i32,
/// counter i16; all in upper-case hex. The reference takes the hash of a class loader for the instance's number; any
/// number that two instances on one machine are unlikely to share will do, so a seed is passed in.
#[derive(Clone, Debug)]
pub struct UniqueIds {
    /// Address, process and instance in hex: the same for every id.
    prefix: String,
    month_start_ms: i64,
    month_end_ms: i64,
    counter: u16,
}

impl UniqueIds {
    /// A generator for this process on this machine.
    #[must_use]
    pub fn new(address: IpAddr, process: u32, seed: u32) -> Self {
        let mut prefix = hex_address(address);
        let _ = write!(prefix, "{:04X}{seed:08X}", process as u16);
        // An empty month makes the first id look for its own.
        Self { prefix, month_start_ms: 0, month_end_ms: 0, counter: 0 }
    }

    /// The next id; `now_ms` is the time of day.
    #[must_use]
    pub fn next_id(&mut self, now_ms: i64) -> String {
        if now_ms < self.month_start_ms || now_ms >= self.month_end_ms {
            (self.month_start_ms, self.month_end_ms) = month_around(now_ms);
        }
        let mut id = String::with_capacity(self.prefix.len() + 12);
        id.push_str(&self.prefix);
        let [.., c1, c2, c3, c4] = hex_word(self.counter.into());
        id.extend(hex_word((now_ms - self.month_start_ms) as u32).into_iter().chain([c1, c2, c3, c4]).map(char::from));
        self.counter = self.counter.wrapping_add(1);
        id
    }
}

impl Default for UniqueIds {
    fn default() -> Self {
        Self::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, 0)
    }
}

/// The parts of a unique id, as tools print them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniqueId {
    /// The producer's address.
    pub address: IpAddr,
    /// Its process id, of which 16 bits are kept.
    pub process: u16,
    /// Its instance's number.
    pub instance: u32,
    /// Milliseconds since the month began.
    pub since_month_ms: u32,
    /// Its running number.
    pub counter: u16,
}

impl UniqueId {
    /// Takes an id apart; `None` if it is not one.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        if !id.is_ascii() {
            return None;
        }
        let (address, rest) = match id.len() {
            32 => (IpAddr::from(u32::from_str_radix(&id[..8], 16).ok()?.to_be_bytes()), &id[8..]),
            56 => (IpAddr::from(u128::from_str_radix(&id[..32], 16).ok()?.to_be_bytes()), &id[32..]),
            _ => return None,
        };
        Some(Self {
            address,
            process: u16::from_str_radix(&rest[..4], 16).ok()?,
            instance: u32::from_str_radix(&rest[4..12], 16).ok()?,
            since_month_ms: u32::from_str_radix(&rest[12..20], 16).ok()?,
            counter: u16::from_str_radix(&rest[20..24], 16).ok()?,
        })
    }
}

fn hex_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{:08X}", u32::from(v4)),
        IpAddr::V6(v6) => format!("{:032X}", u128::from(v6)),
    }
}

const DAY_MS: i64 = 86_400_000;

/// First millisecond of the month (UTC) that `now_ms` lies in, and of the next one.
fn month_around(now_ms: i64) -> (i64, i64) {
    let (year, month, _) = civil_date(now_ms.div_euclid(DAY_MS));
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days_before(year, month) * DAY_MS, days_before(next_year, next_month) * DAY_MS)
}

/// Year, month and day of a day counted from 1970-01-01.
#[must_use]
pub fn civil_date(days: i64) -> (i64, u32, u32) {
    // Years are counted from 1 March, so that the leap day comes last and months have a regular length.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let shifted_month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * shifted_month + 2) / 5;
    year.div_euclid(400) * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_says() {
        // 2024-02-29T12:00Z lies between 2024-02-01 and 2024-03-01.
        assert_eq!(month_around(1_709_208_000_000), (1_706_745_600_000, 1_709_251_200_000));
        // 1999-12-31 and 1970-01-01.
        assert_eq!(month_around(946_684_799_999), (944_006_400_000, 946_684_800_000));
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(19_782), (2024, 2, 29));
    }

    #[test]
    fn ids_count_up() {
        let mut ids = UniqueIds::new(IpAddr::from([172, 17, 0, 2]), 8000, 0x18B4_AAC2);
        let first = ids.next_id(1_706_745_600_000 + 5);
        assert_eq!(first, "AC1100021F4018B4AAC2000000050000");
        assert_eq!(
            UniqueId::parse(&ids.next_id(1_706_745_600_007)).map(|id| (id.since_month_ms, id.counter)),
            Some((7, 1))
        );
    }
}
