//! The text of `messageDelayLevel`.

/// Milliseconds of each level, or nothing if the text is not made of times such as `1s 5m 2h 1d`.
///
/// # Source
/// `ScheduleMessageService.parseDelayLevel` 4.9.7 (read): units s, m, h and d.
pub(super) fn parse(text: &str) -> Option<Vec<i64>> {
    let levels: Option<Vec<i64>> = text.split_whitespace().map(millis).collect();
    levels.filter(|levels| !levels.is_empty())
}

fn millis(level: &str) -> Option<i64> {
    let unit = level.chars().next_back()?;
    let count: u32 = level.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(i64::from(count) * seconds * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counts_with_a_unit() {
        assert_eq!(parse("1s 5m  2h 1d"), Some(vec![1_000, 300_000, 7_200_000, 86_400_000]));
        for bad in ["", "1", "s", "1x", "1s,2s", "-1s", "1ü"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
