//! Numbers in the results of parts: short lists as JSON, long ones as their bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Numbers of a result, in JSON `null` where they are not finite. Those are NaN when they are read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Numbers(Vec<Option<f64>>);

impl FromIterator<f64> for Numbers {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(
            values.into_iter().map(|value| Some(value).filter(|value| value.is_finite())).collect(),
        )
    }
}

impl IntoIterator for Numbers {
    type Item = f64;
    type IntoIter = std::iter::Map<std::vec::IntoIter<Option<f64>>, fn(Option<f64>) -> f64>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|value| value.unwrap_or(f64::NAN))
    }
}

/// Many numbers of a result: in JSON the base64 of their bytes, the lowest first. Every number is read with the
/// bits that it was written with, also one that is not finite. Eight bytes take eleven characters.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Packed<N>(pub(crate) Vec<N>);

/// A number with a fixed number of bytes.
pub(crate) trait Word: Copy {
    /// Number of bytes.
    const BYTES: usize;
    /// Adds the bytes, the lowest first.
    fn put(self, bytes: &mut Vec<u8>);
    /// The number of these bytes.
    fn of(bytes: &[u8]) -> Self;
}

/// Implements [`Word`] by the methods of a primitive type.
macro_rules! word {
    ($($number:ty),*) => {$(
        impl Word for $number {
            const BYTES: usize = size_of::<$number>();
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn of(bytes: &[u8]) -> Self {
                bytes.try_into().map(<$number>::from_le_bytes).unwrap_or_default()
            }
        }
    )*};
}

word!(f64, f32, u32);

impl<N: Word> Serialize for Packed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.0.len() * N::BYTES);
        self.0.iter().for_each(|number| number.put(&mut bytes));
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de, N: Word> Deserialize<'de> for Packed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        if bytes.len() % N::BYTES != 0 {
            return Err(D::Error::custom(format!("{} bytes are no whole numbers", bytes.len())));
        }
        Ok(Self(bytes.chunks_exact(N::BYTES).map(N::of).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_bits_again_and_missing_ones_stay_missing() {
        let values = [0.1 + 0.2, f64::NAN, -1e-320, 5.0, 1.0 / 3.0];
        let text = serde_json::to_string(&values.into_iter().collect::<Numbers>()).unwrap();
        let read: Vec<f64> = serde_json::from_str::<Numbers>(&text).unwrap().into_iter().collect();
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(values.iter().zip(&read).all(same), "{text}");
    }

    #[test]
    fn packed_numbers_are_the_same_bits_again() {
        let values = vec![0.1 + 0.2, f64::INFINITY, f64::NAN, -0.0, -1e-320, f64::MAX];
        let text = serde_json::to_string(&Packed(values.clone())).unwrap();
        let read: Packed<f64> = serde_json::from_str(&text).unwrap();
        let bits = |of: &[f64]| of.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.0), bits(&values));
        // 1.0 is 00 00 80 3f in single precision.
        assert_eq!(serde_json::to_string(&Packed(vec![1.0_f32])).unwrap(), "\"AACAPw==\"");
        assert_eq!(serde_json::to_string(&Packed(vec![258_u32])).unwrap(), "\"AgEAAA==\"");
        assert!(serde_json::from_str::<Packed<f64>>("\"AACAPw==\"").is_err());
        assert!(serde_json::from_str::<Packed<f64>>("\"?\"").is_err());
    }
}
