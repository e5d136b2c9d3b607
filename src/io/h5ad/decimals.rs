//! The decimals from which numbers of low precision were written.

use sbcell_hdf5::Number;

use crate::data::shortest_of_single;

/// The shortest decimal that has `value` as its nearest number of single precision: 0.3 and not
/// 0.30000001192092896. Annotation is read in this way, because people wrote decimals. Matrices are not.
pub(super) fn shortest(number: Number, value: f64) -> f64 {
    match (number.is_float(), number.size()) {
        (true, 2) => shortest_of_half(value),
        (true, 4) => shortest_of_single(value as f32),
        _ => value,
    }
}

/// The shortest decimal among those nearer to `value`, a number of half precision, than to its
/// neighbours.
fn shortest_of_half(value: f64) -> f64 {
    // Normal numbers have eleven bits, those below 2⁻¹⁴ are multiples of 2⁻²⁴.
    let exponent = ((value.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let of_power = i32::from(value.to_bits() << 12 == 0 && exponent > -14);
    // Below a power of two numbers are twice as close.
    let half_a_step = 2.0_f64.powi(exponent.max(-14) - 11 - of_power);
    let is_it = |decimal: &f64| (decimal - value).abs() < half_a_step;
    if !value.is_finite() {
        return value;
    }
    let decimals = (0..5).filter_map(|digits| format!("{value:.digits$e}").parse().ok());
    decimals.into_iter().find(is_it).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use sbcell_hdf5::Value;

    use super::*;

    #[test]
    fn every_half_has_a_decimal_that_is_rounded_back_to_it() {
        let f16 = Number::float(2, false).unwrap();
        let value = |bits: u16| {
            let mut out = [0.0_f64];
            f64::decoder(f16)(&bits.to_le_bytes(), &mut out);
            out[0]
        };
        let close = |bits: u16, decimal: f64| {
            assert!((shortest(f16, value(bits)) - decimal).abs() < 1e-12, "{bits}: {decimal}");
        };
        // numpy: np.array([0.3, 0.1, 7.5, -0.7, 65504], 'f2').view('u2')
        for (bits, decimal) in [(13517, 0.3), (11878, 0.1), (18304, 7.5), (47514, -0.7)] {
            close(bits, decimal);
        }
        // Of neighbouring halves, each decimal is nearest to its own.
        for bits in 0..0x7bff_u16 {
            let (own, next) = (value(bits), value(bits + 1));
            let (decimal, after) = (shortest(f16, own), shortest(f16, next));
            assert!((decimal - own).abs() < (decimal - next).abs(), "{bits}: {decimal}");
            assert!((after - next).abs() < (after - own).abs(), "{bits}: {after}");
        }
        assert!(shortest(f16, f64::NAN).is_nan() && shortest(f16, f64::INFINITY).is_infinite());
    }
}
