//! Equality and order of JSON values. It must stay true that numbers are compared by their exact value:
//! two ids beyond 2^53 that differ by one are different, whatever types they have.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::fuel::{Exhausted, Fuel};

/// Whether two values are equal: numbers by value, objects without regard to order.
pub(crate) fn equal(a: &Value, b: &Value, fuel: &mut Fuel) -> Result<bool, Exhausted> {
    fuel.spend(1)?;
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(compare(a, b) == Some(Ordering::Equal)),
        (Value::String(a), Value::String(b)) if a.len() == b.len() => {
            fuel.read(a.len())?;
            Ok(a == b)
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                if !equal(a, b, fuel)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            // Looking a name up takes some comparisons of names, each a jump in memory.
            let look_up = 4 + a.len().checked_ilog2().unwrap_or(0) as usize;
            for (name, a) in a {
                fuel.spend(look_up)?;
                fuel.read(name.len())?;
                let Some(b) = b.get(name) else { return Ok(false) };
                if !equal(a, b, fuel)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => Ok(false),
        _ => Ok(a == b),
    }
}

/// The order of two numbers or two strings (by code point); other pairs have none.
pub(crate) fn order(a: &Value, b: &Value, fuel: &mut Fuel) -> Result<Option<Ordering>, Exhausted> {
    fuel.spend(1)?;
    Ok(match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b),
        (Value::String(a), Value::String(b)) => {
            fuel.read(a.len().min(b.len()))?;
            // UTF-8 sorts as its code points do.
            Some(a.as_str().cmp(b.as_str()))
        }
        _ => None,
    })
}

fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_mixed(a, b.as_f64()?),
        (None, Some(b)) => compare_mixed(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Both integer types of a JSON number in one that holds them.
fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn compare_mixed(integer: i128, float: f64) -> Option<Ordering> {
    /// Beyond this a float is larger than any integer of JSON here.
    const FAR: f64 = 1e30;
    if float.is_nan() {
        return None;
    }
    if float.abs() > FAR {
        return 0.0.partial_cmp(&float);
    }
    let whole = float.trunc();
    // Exact: a whole float within 1e30 fits an i128.
    Some(integer.cmp(&(whole as i128)).then(0.0.partial_cmp(&(float - whole))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn equal(a: &Value, b: &Value) -> bool {
        super::equal(a, b, &mut Fuel::new()).unwrap()
    }

    fn order(a: &Value, b: &Value) -> Option<Ordering> {
        super::order(a, b, &mut Fuel::new()).unwrap()
    }

    #[test]
    fn numbers_are_exact() {
        let ordered = [
            json!(-1.7e308),
            json!(-9_223_372_036_854_775_809_f64),
            json!(i64::MIN + 1),
            json!(-2),
            json!(-1.5),
            json!(-1),
            json!(-0.5),
            json!(0),
            json!(5e-324),
            json!(0.1),
            json!(1),
            json!(1.000_000_000_000_000_2),
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_994.0),
            json!(i64::MAX),
            json!(9_223_372_036_854_775_808_u64),
            json!(u64::MAX),
            json!(18_446_744_073_709_551_616.0),
            json!(1.7e308),
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(order(a, b), Some(i.cmp(&j)), "{a} {b}");
                assert_eq!(equal(a, b), i == j, "{a} {b}");
            }
        }
        assert!(equal(&json!(1), &json!(1.0)) && equal(&json!(0), &json!(-0.0)));
        assert!(equal(&json!([{ "a": 1, "b": [2.0] }]), &json!([{ "b": [2], "a": 1.0 }])));
        assert!(
            !equal(&json!([1]), &json!([1, 1]))
                && !equal(&json!({ "a": null }), &json!({ "b": null }))
        );
        assert!(!equal(&json!("1"), &json!(1)) && !equal(&json!(null), &json!(false)));
        assert_eq!(order(&json!("1"), &json!(1)), None);
        assert_eq!(order(&json!("Z"), &json!("a")), Some(Ordering::Less));
    }

    proptest! {
        #[test]
        fn order_reverses(a in any_number(), b in any_number()) {
            prop_assert_eq!(order(&a, &b), order(&b, &a).map(Ordering::reverse));
            prop_assert_eq!(equal(&a, &b), order(&a, &b) == Some(Ordering::Equal));
        }

        #[test]
        fn small_numbers_compare_as_floats(a in -1_000_000..1_000_000_i64, b in -1e6..1e6_f64) {
            prop_assert_eq!(order(&json!(a), &json!(b)), (a as f64).partial_cmp(&b));
        }
    }

    fn any_number() -> impl Strategy<Value = Value> {
        let float = prop_oneof![any::<f64>(), any::<i64>().prop_map(|n| n as f64)];
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            float.prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        ]
    }
}
