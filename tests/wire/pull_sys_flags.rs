//! The bits of a pull's sys flag are those that the reference sets, one by one and together.

use ferromq::protocol::sys_flag::pull;

use crate::support::fixture;

#[test]
fn every_combination_of_bits() {
    let bits = [
        ("commitOffset", pull::COMMIT_OFFSET),
        ("suspend", pull::SUSPEND),
        ("subscription", pull::SUBSCRIPTION),
        ("classFilter", pull::CLASS_FILTER),
        ("litePull", pull::LITE_PULL),
    ];
    let fixture = fixture("pull_sys_flag");
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 1 << bits.len());
    for case in cases {
        let set = bits.iter().filter(|(name, _)| case[*name].as_bool().unwrap());
        let flag = set.fold(0, |flag, (_, bit)| flag | bit);
        assert_eq!(i64::from(flag), case["sysFlag"].as_i64().unwrap(), "{case}");
    }
}
