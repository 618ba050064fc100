//! The names of RocketMQ's versions, by the number that each frame carries.

/// From 3.0.7 (a snapshot) on consumers go on elsewhere when the broker tells them to.
pub const RESET_SINCE: i32 = 28;
/// From 3.1.8 (a snapshot) on consumers answer questions that the broker passes on to them.
pub const RELAY_SINCE: i32 = 62;
/// From 3.4.9 on consumers say themselves how many attempts there are.
pub const OWN_LIMIT_SINCE: i32 = 121;

/// The name that refusals give the version of a client that is too old for something: `V3_0_6`.
///
/// # Source
/// `MQVersion` 4.9.7 (read): up to 3.1.8, since nothing newer is refused anywhere. Other numbers stand for themselves.
#[must_use]
pub fn name(version: i32) -> String {
    /// Before 3.0.1 names follow no rule.
    const FIRST: [&str; 16] = [
        "V3_0_0_SNAPSHOT",
        "V3_0_0_ALPHA1",
        "V3_0_0_BETA1",
        "V3_0_0_BETA2",
        "V3_0_0_BETA3",
        "V3_0_0_BETA4",
        "V3_0_0_BETA5",
        "V3_0_0_BETA6_SNAPSHOT",
        "V3_0_0_BETA6",
        "V3_0_0_BETA7_SNAPSHOT",
        "V3_0_0_BETA7",
        "V3_0_0_BETA8_SNAPSHOT",
        "V3_0_0_BETA8",
        "V3_0_0_BETA9_SNAPSHOT",
        "V3_0_0_BETA9",
        "V3_0_0_FINAL",
    ];
    let suffix = if version % 2 == 0 { "_SNAPSHOT" } else { "" };
    match version {
        16..=45 => format!("V3_0_{}{suffix}", (version - 16) / 2 + 1),
        46..=63 => format!("V3_1_{}{suffix}", (version - 46) / 2),
        _ => {
            let first = usize::try_from(version).ok().and_then(|version| FIRST.get(version));
            first.map_or_else(|| version.to_string(), ToString::to_string)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn versions_have_the_names_that_java_gives_them() {
        let cases = [
            (0, "V3_0_0_SNAPSHOT"),
            (15, "V3_0_0_FINAL"),
            (16, "V3_0_1_SNAPSHOT"),
            (27, "V3_0_6"),
            (28, "V3_0_7_SNAPSHOT"),
            (45, "V3_0_15"),
            (46, "V3_1_0_SNAPSHOT"),
            (61, "V3_1_7"),
            (62, "V3_1_8_SNAPSHOT"),
            (-5, "-5"),
            (407, "407"),
        ];
        for (version, expected) in cases {
            assert_eq!(name(version), expected);
        }
    }
}
