//! A delay that looks random and is always the same for the same schedule and instant.
//!
//! It must never change, not with a version of a library either: two replicas of different versions would fire one
//! instant at two times. So it is written out here.

use uuid::Uuid;

/// A delay of 0 to `most` milliseconds, each as likely as the others.
pub(super) fn of(schedule: Uuid, nominal_ms: i64, most: u64) -> u64 {
    if most == 0 {
        return 0;
    }
    let (high, low) = schedule.as_u64_pair();
    let words = [high, low, nominal_ms.cast_unsigned()];
    let hash = words.into_iter().fold(0, |hash, word| mixed(hash ^ word));
    let scaled = u128::from(hash) * (u128::from(most) + 1);
    u64::try_from(scaled >> 64).unwrap_or(most)
}

/// One step of SplitMix64: every bit of the result depends on every bit of the word.
fn mixed(word: u64) -> u64 {
    let mut mixed = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_the_same_in_every_version() {
        let schedule = Uuid::from_u128(0x0192_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001);
        let delays: Vec<u64> =
            (0..4).map(|n| of(schedule, 1_780_000_000_000 + n * 60_000, 60_000)).collect();
        assert_eq!(delays, [29_040, 7_639, 56_421, 54_489]);
    }

    #[test]
    fn every_delay_is_as_likely_as_the_others() {
        let schedule = Uuid::from_u128(7);
        let mut counts = [0_u32; 10];
        for minute in 0..100_000 {
            counts[of(schedule, minute * 60_000, 9) as usize] += 1;
        }
        // 10,000 each are expected; five standard deviations are 474.
        assert!(counts.iter().all(|count| (9_526..=10_474).contains(count)), "{counts:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn it_is_at_most_what_was_asked_for(id: u128, nominal: i64, most in 0..=86_400_000_u64) {
            let delay = of(Uuid::from_u128(id), nominal, most);
            prop_assert!(delay <= most);
            prop_assert_eq!(delay, of(Uuid::from_u128(id), nominal, most));
        }
    }
}
