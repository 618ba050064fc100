//! Times as people write and read them.

use std::time::{Duration, UNIX_EPOCH};

use crate::protocol::units::StoreTime;

/// Reads milliseconds since the epoch, or a date and time of UTC as in `2026-11-21T05:51:06.595Z`, whose time may be left out.
pub(in crate::cli) fn parse(text: &str) -> Result<StoreTime, String> {
    if let Ok(ms) = text.parse() {
        return Ok(StoreTime(ms));
    }
    let is_date = text.len() == 10;
    let full = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let expected = "expected milliseconds since the epoch, or a time of UTC such as 2026-11-21T05:51:06Z";
    let time = humantime::parse_rfc3339_weak(&full).map_err(|_| expected.to_owned())?;
    let since_epoch = time.duration_since(UNIX_EPOCH).map_err(|_| expected.to_owned())?;
    Ok(StoreTime(since_epoch.as_millis() as i64))
}

/// A time as a date; what lies before the epoch, or too far behind it, as its number.
pub(in crate::cli) fn show(ms: i64) -> String {
    /// The last moment of the year 9999.
    const MS_MAX: u64 = 253_402_300_799_999;
    match u64::try_from(ms) {
        Ok(ms) if (1..=MS_MAX).contains(&ms) => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
        }
        _ => ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_or_dates_of_utc() {
        let expected = StoreTime(1_709_164_800_000);
        for text in ["1709164800000", "2024-02-29", "2024-02-29T00:00:00Z", "2024-02-29 00:00:00"] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert_eq!(parse("2024-02-29T00:00:00.007Z"), Ok(StoreTime(expected.0 + 7)));
        for text in ["yesterday", "2024-02-30", "2024-02-29T25:00:00Z", "", "1e3"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(show(1_709_164_800_005), "2024-02-29T00:00:00.005Z");
        assert_eq!((show(0), show(-1), show(i64::MAX)), ("0".into(), "-1".into(), i64::MAX.to_string()));
    }
}
