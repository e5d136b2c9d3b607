//! Matrix products on one thread (faer), after which all code runs at its full speed.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};

/// `out = factor · A B`, or `out += factor · A B`.
pub(super) fn multiply<T: ComplexField>(
    out: MatMut<'_, T>,
    accum: Accum,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    factor: T,
) {
    matmul(out, accum, a, b, factor, Par::Seq);
    settle();
}

/// Leaves vector registers as code without wide vectors needs them.
///
/// A large product of faer leaves their upper halves in use. Until they are cleared, every scalar
/// and narrow instruction on this thread waits for the one before: sums of sparse rows took 4.8
/// times as long (`cargo bench --bench roofline`). The compiler clears them where a function with
/// wide vectors returns, and this is one.
pub(super) fn settle() {
    pulp::Arch::new().dispatch(Wide);
}

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
