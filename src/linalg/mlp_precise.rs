//! A network in double precision, with its exact derivative with respect to the inputs.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::error::Result;
use crate::linalg::Mlp;
use crate::linalg::product::{add_product, product_nt};
use crate::linalg::selu::{add_bias_selu_f64, selu_slope_f64};

/// The function of an [`Mlp`] in double precision.
///
/// Training uses the faster single precision. A trained network is evaluated and differentiated in
/// double precision, so that rounding errors do not accumulate along a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PreciseMlp {
    /// Weights `(outputs, inputs)` and biases of each layer.
    layers: Vec<(Array2<f64>, Array1<f64>)>,
}

impl PreciseMlp {
    /// The network with the parameters of `network`, converted without rounding.
    ///
    /// # Errors
    /// Those of [`Mlp::layer`], which do not occur for the layers of `network`.
    pub(crate) fn new(network: &Mlp) -> Result<Self> {
        let layers = (0..network.n_layers()).map(|layer| {
            let (weights, biases) = network.layer(layer)?;
            let biases = biases.iter().map(|&bias| f64::from(bias)).collect();
            Ok((weights.mapv(f64::from), biases))
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// The outputs `(n, outputs)` for the rows of `x`, `(n, inputs)`.
    #[must_use]
    pub(crate) fn output(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut rows = x.to_owned();
        for (layer, (weights, biases)) in self.layers.iter().enumerate() {
            rows = product_nt(rows.view(), weights.view());
            if layer + 1 < self.layers.len() {
                activate(&mut rows, biases);
            } else {
                rows += biases;
            }
        }
        rows
    }

    /// The Jacobian with respect to the first `n_inputs` inputs, `(outputs, n_inputs)`, summed over
    /// the rows of `x`.
    ///
    /// Differentiation in forward mode: each row has one tangent vector for each input. Time
    /// `2 n · n_inputs · Σ in · out` flops over the inner layers, memory `16 n · n_inputs · width`
    /// bytes. The last layer is linear and is applied once, to the sum.
    #[must_use]
    pub(crate) fn summed_jacobian(&self, x: ArrayView2<'_, f64>, n_inputs: usize) -> Array2<f64> {
        let (Some((weights, biases)), Some((last, _))) = (self.layers.first(), self.layers.last())
        else {
            return Array2::zeros((0, n_inputs));
        };
        let by_input = weights.slice(s![.., ..n_inputs]);
        let n_layers = self.layers.len();
        if n_layers == 1 {
            return &by_input * x.nrows() as f64;
        }
        let mut rows = product_nt(x, weights.view());
        activate(&mut rows, biases);
        // The tangent of row i with respect to input a is row i · n_inputs + a.
        let mut tangents = Array2::zeros((x.nrows() * n_inputs, weights.nrows()));
        for mut block in tangents.axis_chunks_iter_mut(Axis(0), n_inputs.max(1)) {
            block.assign(&by_input.t());
        }
        times_slopes(&mut tangents, &rows, n_inputs);
        for (weights, biases) in &self.layers[1..n_layers - 1] {
            rows = product_nt(rows.view(), weights.view());
            activate(&mut rows, biases);
            tangents = product_nt(tangents.view(), weights.view());
            times_slopes(&mut tangents, &rows, n_inputs);
        }
        // The last layer is linear, so the sum over rows comes first.
        let mut summed = Array2::<f64>::zeros((n_inputs, tangents.ncols()));
        for block in tangents.axis_chunks_iter(Axis(0), n_inputs.max(1)) {
            summed += &block;
        }
        let mut out = Array2::zeros((last.nrows(), n_inputs));
        add_product(out.view_mut(), 1.0, last.view(), summed.t());
        out
    }
}

/// Adds the biases to every row and applies SELU.
fn activate(rows: &mut Array2<f64>, biases: &Array1<f64>) {
    if let (Some(rows), Some(biases)) = (rows.as_slice_mut(), biases.as_slice()) {
        add_bias_selu_f64(rows, biases);
    }
}

/// Multiplies the tangents of each row by the slope of SELU, taken from the layer's `activations`.
fn times_slopes(tangents: &mut Array2<f64>, activations: &Array2<f64>, n_inputs: usize) {
    let blocks = tangents.axis_chunks_iter_mut(Axis(0), n_inputs.max(1));
    for (row, mut block) in activations.rows().into_iter().zip(blocks) {
        block *= &row.mapv(selu_slope_f64);
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::linalg::Pass;
    use crate::rng::Seed;

    fn random(sizes: &[usize]) -> Mlp {
        let mut network = Mlp::random(sizes, &mut Seed(1).stream("test", 0));
        let mut stream = Seed(2).stream("test", 0);
        for parameter in network.parameters_mut() {
            let noise: f64 = StandardNormal.sample(&mut stream);
            *parameter += 0.3 * noise as f32;
        }
        network
    }

    #[test]
    fn it_is_the_network_that_was_trained() {
        let sizes = [4, 9, 8, 3];
        let network = random(&sizes);
        let x = Array2::from_shape_fn((6, 4), |(i, j)| f64::from((i * 4 + j) as f32 * 0.3).sin());
        let mut pass = Pass::new(&sizes, 6);
        for (to, from) in pass.input_mut().iter_mut().zip(&x) {
            *to = *from as f32;
        }
        network.forward(&mut pass);
        let precise = PreciseMlp::new(&network).unwrap().output(x.view());
        for (single, double) in pass.output().iter().zip(&precise) {
            // A few dozen roundings of single precision.
            assert!((f64::from(*single) - double).abs() < 3e-6 * (1.0 + double.abs()));
        }
    }

    #[test]
    fn the_jacobian_is_the_sum_of_finite_differences() {
        for sizes in [vec![4, 9, 8, 3], vec![4, 5, 3], vec![4, 3]] {
            let precise = PreciseMlp::new(&random(&sizes)).unwrap();
            let x = Array2::from_shape_fn((6, 4), |(i, j)| ((i * 4 + j) as f64 * 0.7).sin());
            let found = precise.summed_jacobian(x.view(), 3);
            assert_eq!(found.dim(), (3, 3));
            for a in 0..3 {
                let shifted = |step: f64| {
                    let mut x = x.clone();
                    x.column_mut(a).mapv_inplace(|v| v + step);
                    precise.output(x.view()).sum_axis(Axis(0))
                };
                let expected = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                for (found, expected) in found.column(a).iter().zip(&expected) {
                    // Rounding of 1e-16 over a step of 1e-6.
                    assert!((found - expected).abs() < 1e-8, "{found} {expected}");
                }
            }
        }
    }
}
