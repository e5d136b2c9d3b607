//! The call of faer's matrix product on one thread, with vector registers cleared after it.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};

use crate::platform::cpu;

/// Writes `factor · A B` to `out` (`Accum::Replace`) or adds it (`Accum::Add`).
///
/// Shapes `(m, k)`, `(k, n)` and `(m, n)`; `2mkn` flops. All products of the crate use this
/// function, so that each is followed by [`settle`].
pub(super) fn multiply<T: ComplexField>(
    out: MatMut<'_, T>,
    accum: Accum,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    factor: T,
) {
    matmul(out, accum, a, b, factor, Par::Seq);
    settle();
}

/// Clears the upper halves of the vector registers.
///
/// A large product of faer leaves these halves in use. Until they are cleared, every scalar or
/// narrow instruction on this thread waits for the previous one; sums of sparse rows took 4.8
/// times as long (`cargo bench --bench roofline`). The compiler inserts the clearing instruction
/// at the end of a function with wide vectors. This function is such a function and does nothing
/// else.
pub(super) fn settle() {
    cpu::arch().dispatch(Wide);
}

/// The work of [`settle`]: one addition on a wide vector that the compiler cannot remove.
struct Wide;

impl pulp::NullaryFnOnce for Wide {
    type Output = ();

    #[expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]
    #[inline(always)]
    fn call(self) {
        let mut values = std::hint::black_box([1.0_f64; 8]);
        for value in &mut values {
            *value += 1.0;
        }
        std::hint::black_box(values);
    }
}
