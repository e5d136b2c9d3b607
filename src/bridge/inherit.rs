//! Methods of a bridge around another one that are those of the inner bridge.

/// Implements methods of [`crate::bridge::Bridge`] by those of a field: `inherit!(inner: dim, epsilon)`.
///
/// Bridges that change one aspect of another bridge name all methods that stay, so that none falls
/// back on a default that does not hold for the inner bridge.
macro_rules! inherit {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $($crate::bridge::inherit!(@$method $inner);)+
    };
    (@dim $inner:ident) => {
        fn dim(&self) -> usize {
            self.$inner.dim()
        }
    };
    (@epsilon $inner:ident) => {
        fn epsilon(&self) -> $crate::geometry::Epsilon {
            self.$inner.epsilon()
        }
    };
    (@noise_variance $inner:ident) => {
        fn noise_variance(&self) -> f64 {
            self.$inner.noise_variance()
        }
    };
    (@noise_factor $inner:ident) => {
        fn noise_factor(&self) -> Option<::ndarray::ArrayView2<'_, f64>> {
            self.$inner.noise_factor()
        }
    };
    (@drift $inner:ident) => {
        fn drift(
            &self,
            x: ::ndarray::ArrayView2<'_, f64>,
            t: $crate::bridge::UnitTime,
        ) -> $crate::error::Result<::ndarray::Array2<f64>> {
            self.$inner.drift(x, t)
        }
    };
    (@mean_jacobian $inner:ident) => {
        fn mean_jacobian(
            &self,
            x: ::ndarray::ArrayView2<'_, f64>,
            t: $crate::bridge::UnitTime,
        ) -> $crate::error::Result<::ndarray::Array2<f64>> {
            self.$inner.mean_jacobian(x, t)
        }
    };
    (@sample_transition $inner:ident) => {
        fn sample_transition(
            &self,
            x: ::ndarray::ArrayView2<'_, f64>,
            from: $crate::bridge::UnitTime,
            to: $crate::bridge::UnitTime,
            seed: $crate::rng::Seed,
        ) -> $crate::error::Result<::ndarray::Array2<f64>> {
            self.$inner.sample_transition(x, from, to, seed)
        }
    };
    (@curve $inner:ident) => {
        fn curve(&self) -> Option<&$crate::bridge::Curve> {
            self.$inner.curve()
        }
    };
    (@plan_marginal $inner:ident) => {
        fn plan_marginal(&self) -> Option<::ndarray::ArrayView1<'_, f64>> {
            self.$inner.plan_marginal()
        }
    };
    (@growth_by $inner:ident) => {
        fn growth_by(&self, t: $crate::bridge::UnitTime) -> f64 {
            self.$inner.growth_by(t)
        }
    };
    (@link $inner:ident) => {
        fn link(
            &self,
            source: &$crate::data::Snapshot,
            target: &$crate::data::Snapshot,
            seed: $crate::rng::Seed,
            progress: &mut dyn $crate::progress::Progress,
        ) -> $crate::error::Result<$crate::bridge::Link> {
            self.$inner.link(source, target, seed, progress)
        }
    };
    (@record $inner:ident) => {
        fn record(&self) -> $crate::bridge::BridgeRecord {
            self.$inner.record()
        }
    };
}

pub(crate) use inherit;
