//! Numbers of any width and byte order, and their conversion to the types of Rust.

/// The width, kind and byte order of a stored number.
///
/// ```
/// use sbcell_hdf5::{Number, Value};
///
/// let number = Number::integer(2, true, true).unwrap();
/// let mut out = [0.0];
/// f64::decoder(number)(&[0xff, 0xfe], &mut out);
/// assert_eq!((number.name(), out), ("int16", [-2.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    format: Format,
    big_endian: bool,
}

/// The width and kind of a stored number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Number {
    /// A truth value in one byte: an enumeration of `FALSE` and `TRUE`.
    pub(crate) const BOOL: Self = Self { format: Format::Bool, big_endian: false };

    /// An integer of `size` bytes; `None` unless `size` is 1, 2, 4 or 8.
    pub fn integer(size: u32, signed: bool, big_endian: bool) -> Option<Self> {
        let format = match (size, signed) {
            (1, true) => Format::I8,
            (2, true) => Format::I16,
            (4, true) => Format::I32,
            (8, true) => Format::I64,
            (1, false) => Format::U8,
            (2, false) => Format::U16,
            (4, false) => Format::U32,
            (8, false) => Format::U64,
            _ => return None,
        };
        Some(Self { format, big_endian })
    }

    /// A float of `size` bytes in the format of IEEE 754; `None` unless `size` is 2, 4 or 8.
    pub fn float(size: u32, big_endian: bool) -> Option<Self> {
        let format = match size {
            2 => Format::F16,
            4 => Format::F32,
            8 => Format::F64,
            _ => return None,
        };
        Some(Self { format, big_endian })
    }

    /// Bytes of the number in the file.
    pub fn size(self) -> usize {
        match self.format {
            Format::Bool | Format::I8 | Format::U8 => 1,
            Format::I16 | Format::U16 | Format::F16 => 2,
            Format::I32 | Format::U32 | Format::F32 => 4,
            Format::I64 | Format::U64 | Format::F64 => 8,
        }
    }

    /// Whether it is a truth value.
    pub fn is_bool(self) -> bool {
        self.format == Format::Bool
    }

    /// Whether it is a float.
    pub fn is_float(self) -> bool {
        matches!(self.format, Format::F16 | Format::F32 | Format::F64)
    }

    /// The name of the type in numpy, without the byte order.
    pub fn name(self) -> &'static str {
        match self.format {
            Format::Bool => "bool",
            Format::I8 => "int8",
            Format::I16 => "int16",
            Format::I32 => "int32",
            Format::I64 => "int64",
            Format::U8 => "uint8",
            Format::U16 => "uint16",
            Format::U32 => "uint32",
            Format::U64 => "uint64",
            Format::F16 => "float16",
            Format::F32 => "float32",
            Format::F64 => "float64",
        }
    }
}

/// A type as which stored numbers can be read: `f32`, `f64`, `u32`, `u64` and `i64`.
///
/// Floats are rounded to the nearest value. An integer that does not fit becomes the largest value of the type:
/// as an index (`u32`, `u64`) it is out of range wherever it is used, and no negative index passes unnoticed. A
/// float read as an integer is truncated, as by `as`. A truth value becomes 0 or 1.
pub trait Value: Copy + Default + Send + Sync {
    /// The loop that decodes numbers stored as `number`, chosen once for many numbers. It reads as many as both
    /// slices have room for, so a corrupt length cannot make it panic.
    fn decoder(number: Number) -> fn(&[u8], &mut [Self]);
}

/// A number of `SIZE` bytes, decoded from either byte order.
trait Stored: Sized {
    const SIZE: usize;
    fn little(bytes: &[u8]) -> Self;
    fn big(bytes: &[u8]) -> Self;
}

macro_rules! stored {
    ($($number:ty),*) => {$(
        impl Stored for $number {
            const SIZE: usize = size_of::<$number>();
            fn little(bytes: &[u8]) -> Self {
                bytes.try_into().map_or(Self::default(), Self::from_le_bytes)
            }
            fn big(bytes: &[u8]) -> Self {
                bytes.try_into().map_or(Self::default(), Self::from_be_bytes)
            }
        }
    )*};
}

stored!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

/// Half precision, widened.
#[derive(Clone, Copy)]
struct Half(u16);

impl Stored for Half {
    const SIZE: usize = 2;
    fn little(bytes: &[u8]) -> Self {
        Self(u16::little(bytes))
    }
    fn big(bytes: &[u8]) -> Self {
        Self(u16::big(bytes))
    }
}

impl Half {
    /// Exactly the same number in single precision (IEEE 754: 1 sign, 5 exponent, 10 fraction).
    fn widen(self) -> f32 {
        let bits = u32::from(self.0);
        let (sign, exponent, fraction) = ((bits >> 15) << 31, (bits >> 10) & 31, bits & 1023);
        match (exponent, fraction) {
            (0, _) => {
                let size = fraction as f32 * 2.0_f32.powi(-24);
                if sign == 0 { size } else { -size }
            }
            (31, _) => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
            _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
        }
    }
}

/// A byte that stands for a truth value.
#[derive(Clone, Copy)]
struct Truth(u8);

impl Stored for Truth {
    const SIZE: usize = 1;
    fn little(bytes: &[u8]) -> Self {
        Self(bytes[0])
    }
    fn big(bytes: &[u8]) -> Self {
        Self(bytes[0])
    }
}

/// A conversion from how a number is stored to what it is read as.
trait From2<S> {
    fn convert(stored: S) -> Self;
}

macro_rules! convert {
    ($target:ty: $($source:ty => $how:expr),*) => {$(
        impl From2<$source> for $target {
            fn convert(stored: $source) -> Self {
                let how: fn($source) -> $target = $how;
                how(stored)
            }
        }
    )*};
}

macro_rules! as_float {
    ($target:ty) => {
        convert!($target: i8 => |x| x as $target, i16 => |x| x as $target,
            i32 => |x| x as $target, i64 => |x| x as $target, u8 => |x| x as $target,
            u16 => |x| x as $target, u32 => |x| x as $target, u64 => |x| x as $target,
            f32 => |x| x as $target, f64 => |x| x as $target, Half => |x| x.widen() as $target,
            Truth => |x| if x.0 == 0 { 0.0 } else { 1.0 });
    };
}

macro_rules! as_integer {
    ($target:ty, $other:expr) => {
        convert!($target: i8 => |x| x.try_into().unwrap_or($other),
            i16 => |x| x.try_into().unwrap_or($other), i32 => |x| x.try_into().unwrap_or($other),
            i64 => |x| x.try_into().unwrap_or($other), u8 => |x| x.into(), u16 => |x| x.into(),
            u32 => |x| x.into(), u64 => |x| x.try_into().unwrap_or($other),
            f32 => |x| x as $target, f64 => |x| x as $target, Half => |x| x.widen() as $target,
            Truth => |x| u8::from(x.0 != 0).into());
    };
}

as_float!(f32);
as_float!(f64);
as_integer!(u32, u32::MAX);
as_integer!(u64, u64::MAX);
as_integer!(i64, i64::MAX);

fn little<S: Stored, T: From2<S>>(bytes: &[u8], out: &mut [T]) {
    for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(S::SIZE)) {
        *value = T::convert(S::little(bytes));
    }
}

fn big<S: Stored, T: From2<S>>(bytes: &[u8], out: &mut [T]) {
    for (value, bytes) in out.iter_mut().zip(bytes.chunks_exact(S::SIZE)) {
        *value = T::convert(S::big(bytes));
    }
}

macro_rules! value {
    ($($target:ty),*) => {$(
        impl Value for $target {
            fn decoder(number: Number) -> fn(&[u8], &mut [Self]) {
                match (number.format, number.big_endian) {
                    (Format::Bool, _) => little::<Truth, Self>,
                    (Format::I8, _) => little::<i8, Self>,
                    (Format::U8, _) => little::<u8, Self>,
                    (Format::I16, false) => little::<i16, Self>,
                    (Format::I32, false) => little::<i32, Self>,
                    (Format::I64, false) => little::<i64, Self>,
                    (Format::U16, false) => little::<u16, Self>,
                    (Format::U32, false) => little::<u32, Self>,
                    (Format::U64, false) => little::<u64, Self>,
                    (Format::F16, false) => little::<Half, Self>,
                    (Format::F32, false) => little::<f32, Self>,
                    (Format::F64, false) => little::<f64, Self>,
                    (Format::I16, true) => big::<i16, Self>,
                    (Format::I32, true) => big::<i32, Self>,
                    (Format::I64, true) => big::<i64, Self>,
                    (Format::U16, true) => big::<u16, Self>,
                    (Format::U32, true) => big::<u32, Self>,
                    (Format::U64, true) => big::<u64, Self>,
                    (Format::F16, true) => big::<Half, Self>,
                    (Format::F32, true) => big::<f32, Self>,
                    (Format::F64, true) => big::<f64, Self>,
                }
            }
        }
    )*};
}

value!(f32, f64, u32, u64, i64);

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Value>(number: Option<Number>, bytes: &[u8]) -> Vec<T> {
        let number = number.unwrap();
        let mut out = vec![T::default(); bytes.len() / number.size()];
        T::decoder(number)(bytes, &mut out);
        out
    }

    #[test]
    fn half_precision_is_widened_exactly() {
        // numpy: np.array([1, -2, 65504, 2**-24, 0.333251953125, inf, -0.0], '<f2').tobytes()
        let bytes = [0, 60, 0, 192, 255, 123, 1, 0, 85, 53, 0, 124, 0, 128];
        let expected = [1., -2., 65504., 2.0_f32.powi(-24), 0.333_251_95, f32::INFINITY, 0.];
        assert_eq!(read::<f32>(Number::float(2, false), &bytes), expected);
        assert!(read::<f32>(Number::float(2, false), &[1, 124])[0].is_nan());
    }

    #[test]
    fn reads_both_byte_orders_and_marks_what_is_no_index() {
        let minus_two = (-2_i32).to_be_bytes();
        assert_eq!(read::<i64>(Number::integer(4, true, true), &minus_two), [-2]);
        assert_eq!(read::<f64>(Number::integer(4, true, true), &minus_two), [-2.0]);
        assert_eq!(read::<u32>(Number::integer(4, true, true), &minus_two), [u32::MAX]);
        assert_eq!(read::<u64>(Number::integer(4, true, true), &minus_two), [u64::MAX]);
        let large = (1_u64 << 40).to_le_bytes();
        assert_eq!(read::<u32>(Number::integer(8, false, false), &large), [u32::MAX]);
        assert_eq!(read::<u64>(Number::integer(8, false, false), &large), [1 << 40]);
        assert_eq!(read::<f32>(Number::float(8, true), &2.5_f64.to_be_bytes()), [2.5]);
        assert_eq!(read::<f32>(Some(Number::BOOL), &[0, 1, 255]), [0., 1., 1.]);
    }
}
