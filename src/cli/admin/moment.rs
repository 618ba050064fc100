//! Times as mqadmin takes them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Usage;
use crate::cli::times;
use crate::protocol::units::StoreTime;

/// How mqadmin writes a time of the place where it runs: `2026-11-21#05:51:06:595`.
const FORMAT: &str = "%Y-%m-%d#%H:%M:%S";

/// Reads milliseconds since the epoch, mqadmin's form, or a date and time of UTC. Negative times are none: the wire has words of
/// its own among them.
pub(super) fn parse(text: &str) -> Result<StoreTime, Usage> {
    let time = match text.split_once('#') {
        Some(_) => in_zone(text, &TimeZone::system())?,
        None => times::parse(text).map_err(|expected| Usage(format!("{expected}, or 2026-11-21#05:51:06:000")))?,
    };
    if time.0 < 0 { Err(Usage("expected a time from 1970 on".into())) } else { Ok(time) }
}

fn in_zone(text: &str, zone: &TimeZone) -> Result<StoreTime, Usage> {
    let expected = || Usage("expected a time of this place as 2026-11-21#05:51:06:000".into());
    let (seconds, ms) = text.rsplit_once(':').ok_or_else(expected)?;
    let ms: i64 = ms.parse().ok().filter(|ms| (0..1_000).contains(ms)).ok_or_else(expected)?;
    let time = DateTime::strptime(FORMAT, seconds).map_err(|_| expected())?;
    let time = time.to_zoned(zone.clone()).map_err(|_| expected())?;
    Ok(StoreTime(time.timestamp().as_millisecond() + ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_dates_or_as_mqadmin_writes_them() {
        let leap_day = StoreTime(1_709_164_800_007);
        assert_eq!(in_zone("2024-02-29#00:00:00:007", &TimeZone::UTC).ok(), Some(leap_day));
        let east = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(in_zone("2024-02-29#08:00:00:007", &east).ok(), Some(leap_day));
        assert_eq!(parse("1709164800007").ok(), Some(leap_day));
        assert_eq!(parse("2024-02-29T00:00:00.007Z").ok(), Some(leap_day));
        for text in
            ["yesterday", "2024-02-30#00:00:00:000", "2024-02-29#00:00:00", "2024-02-29#00:00:00:1000", "#", "-1"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
