//! A multilayer perceptron in single precision, with its forward and backward pass.

use faer::{Accum, MatMut, MatRef};
use ndarray::ArrayView2;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Error, Result};
use crate::linalg::matmul::multiply;
use crate::linalg::selu::{add_bias_selu, times_selu_slope};

/// A network of fully connected layers with SELU after each layer except the last.
///
/// Layer `l` maps `x` to `W x + b`, where `W` has shape `(sizes[l + 1], sizes[l])`. All parameters
/// are one vector, so that an optimiser needs no knowledge of layers: for each layer first `W` in
/// rows, one for each output as in PyTorch, then `b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    /// Widths from input to output, at least two.
    sizes: Vec<usize>,
    parameters: Vec<f32>,
}

impl Mlp {
    /// A network with random weights that represents the function 0.
    ///
    /// Weights are normal with variance `1 / inputs`, which keeps the variance through SELU layers
    /// (Klambauer et al. 2017). Biases and the whole last layer are zero.
    #[must_use]
    pub fn random(sizes: &[usize], stream: &mut impl Rng) -> Self {
        let mut parameters = Vec::with_capacity(n_parameters(sizes));
        let n_layers = sizes.len().saturating_sub(1);
        for (layer, pair) in sizes.windows(2).enumerate() {
            let deviation = 1.0 / (pair[0].max(1) as f64).sqrt();
            for _ in 0..pair[0] * pair[1] {
                let normal: f64 = StandardNormal.sample(stream);
                let last = layer + 1 == n_layers;
                parameters.push(if last { 0.0 } else { (normal * deviation) as f32 });
            }
            parameters.extend(std::iter::repeat_n(0.0, pair[1]));
        }
        Self { sizes: sizes.to_vec(), parameters }
    }

    /// A network with the given sizes and parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of parameters does not fit the sizes; [`Error::Parameter`]
    /// for fewer than two sizes, a size of zero, or a parameter that is not finite.
    pub fn from_parameters(sizes: &[usize], parameters: Vec<f32>) -> Result<Self> {
        if sizes.len() < 2 || sizes.contains(&0) {
            let (name, must) = ("layer sizes", "at least two, all positive");
            return Err(Error::Parameter { name, must, got: format!("{sizes:?}") });
        }
        let (expected, got) = (n_parameters(sizes), parameters.len());
        if expected != got {
            return Err(Error::Shape { what: "a network", unit: "parameters", expected, got });
        }
        if let Some(value) = parameters.iter().find(|value| !value.is_finite()) {
            let (name, must) = ("network parameter", "finite");
            return Err(Error::Parameter { name, must, got: value.to_string() });
        }
        Ok(Self { sizes: sizes.to_vec(), parameters })
    }

    /// Widths from input to output.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Number of layers of weights.
    pub fn n_layers(&self) -> usize {
        self.sizes.len() - 1
    }

    /// All parameters, in the order given in the documentation of the type.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// All parameters, mutable; see [`Mlp::parameters`].
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// Weights `(outputs, inputs)` and biases of layer `layer`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the network has no such layer.
    pub fn layer(&self, layer: usize) -> Result<(ArrayView2<'_, f32>, &[f32])> {
        if layer >= self.n_layers() {
            let (name, must) = ("layer", "less than the number of layers");
            return Err(Error::Parameter { name, must, got: layer.to_string() });
        }
        let (weights, biases) = self.slices(layer);
        let shape = (self.sizes[layer + 1], self.sizes[layer]);
        let weights = ArrayView2::from_shape(shape, weights).map_err(|error| Error::Numerical {
            what: "reading a layer",
            why: error.to_string(),
        })?;
        Ok((weights, biases))
    }

    /// Floating-point operations of a forward and a backward pass for one row of input.
    ///
    /// Only the matrix products count, `2 · inputs · outputs` flops each.
    #[must_use]
    pub fn flops_per_row(&self) -> f64 {
        let products: usize = self.sizes.windows(2).map(|pair| 2 * pair[0] * pair[1]).sum();
        // The backward pass has one product for the weights of each layer, and one for the
        // activations of each layer except the input.
        (3 * products - 2 * self.sizes[0] * self.sizes[1]) as f64
    }

    /// Computes the activations and the outputs of `pass` from its inputs.
    ///
    /// [`Pass::input_mut`] must contain the inputs; `pass` must have the sizes of this network.
    pub fn forward(&self, pass: &mut Pass) {
        for layer in 0..self.n_layers() {
            let (weights, biases) = self.slices(layer);
            let (n_in, n_out) = (self.sizes[layer], self.sizes[layer + 1]);
            let (before, after) = pass.activations.split_at_mut(layer + 1);
            let (input, output) = (&before[layer], &mut after[0]);
            let input = MatRef::from_row_major_slice(input, pass.n_rows, n_in);
            let weights = MatRef::from_row_major_slice(weights, n_out, n_in);
            if layer + 1 < self.n_layers() {
                let out = MatMut::from_row_major_slice_mut(output, pass.n_rows, n_out);
                multiply(out, Accum::Replace, input, weights.transpose(), 1.0);
                add_bias_selu(output, biases);
            } else {
                output.chunks_exact_mut(n_out).for_each(|row| row.copy_from_slice(biases));
                let out = MatMut::from_row_major_slice_mut(output, pass.n_rows, n_out);
                multiply(out, Accum::Add, input, weights.transpose(), 1.0);
            }
        }
    }

    /// Backpropagation: writes the gradient of the loss with respect to all parameters to `gradient`.
    ///
    /// [`Pass::output_and_gradient`] must contain the gradient with respect to the outputs, after a
    /// call of [`Mlp::forward`]. The result is the sum over rows.
    pub fn backward(&self, pass: &mut Pass, gradient: &mut [f32]) {
        let n = pass.n_rows;
        let mut rest = gradient;
        for layer in (0..self.n_layers()).rev() {
            let (n_in, n_out) = (self.sizes[layer], self.sizes[layer + 1]);
            let (earlier, own) = rest.split_at_mut(rest.len() - n_out * (n_in + 1));
            rest = earlier;
            let (by_weights, by_biases) = own.split_at_mut(n_out * n_in);
            let (before, after) = pass.gradients.split_at_mut(layer);
            let delta = &after[0];
            by_biases.fill(0.0);
            for row in delta.chunks_exact(n_out) {
                for (sum, value) in by_biases.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let delta = MatRef::from_row_major_slice(delta, n, n_out);
            let input = MatRef::from_row_major_slice(&pass.activations[layer], n, n_in);
            let out = MatMut::from_row_major_slice_mut(by_weights, n_out, n_in);
            multiply(out, Accum::Replace, delta.transpose(), input, 1.0);
            let Some(below) = before.last_mut() else { break };
            let weights = MatRef::from_row_major_slice(self.slices(layer).0, n_out, n_in);
            let out = MatMut::from_row_major_slice_mut(below, n, n_in);
            multiply(out, Accum::Replace, delta, weights, 1.0);
            times_selu_slope(below, &pass.activations[layer]);
        }
    }

    /// Weights in rows and biases of a layer.
    fn slices(&self, layer: usize) -> (&[f32], &[f32]) {
        let start = n_parameters(&self.sizes[..=layer]);
        let n_weights = self.sizes[layer] * self.sizes[layer + 1];
        let end = start + n_weights + self.sizes[layer + 1];
        self.parameters[start..end].split_at(n_weights)
    }
}

/// Number of weights and biases of a network of these sizes.
fn n_parameters(sizes: &[usize]) -> usize {
    sizes.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
}

/// The memory of a forward and a backward pass for a batch of rows; training reuses it.
///
/// 8 bytes for each row and each unit of the network.
#[derive(Debug, Clone)]
pub struct Pass {
    n_rows: usize,
    /// The inputs, then the output of each layer; all row-major.
    activations: Vec<Vec<f32>>,
    /// Gradients with respect to the output of each layer before its SELU.
    gradients: Vec<Vec<f32>>,
}

impl Pass {
    /// Memory for `n_rows` rows through a network of these sizes, all zero.
    #[must_use]
    pub fn new(sizes: &[usize], n_rows: usize) -> Self {
        let room = |sizes: &[usize]| sizes.iter().map(|size| vec![0.0; size * n_rows]).collect();
        Self { n_rows, activations: room(sizes), gradients: room(&sizes[1..]) }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The inputs, `(n_rows, inputs)` in rows, mutable.
    pub fn input_mut(&mut self) -> &mut [f32] {
        &mut self.activations[0]
    }

    /// The outputs, and the mutable gradient with respect to them, from which [`Mlp::backward`] starts.
    pub fn output_and_gradient(&mut self) -> (&[f32], &mut [f32]) {
        let last = self.gradients.len();
        (&self.activations[last], &mut self.gradients[last - 1])
    }

    /// The outputs, `(n_rows, outputs)` in rows.
    pub fn output(&self) -> &[f32] {
        &self.activations[self.gradients.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::selu::selu_f64;
    use crate::rng::Seed;

    const SIZES: [usize; 5] = [3, 7, 6, 5, 2];

    fn network() -> Mlp {
        let mut network = Mlp::random(&SIZES, &mut Seed(1).stream("test", 0));
        let mut stream = Seed(2).stream("test", 0);
        for parameter in network.parameters_mut() {
            let noise: f64 = StandardNormal.sample(&mut stream);
            *parameter += 0.3 * noise as f32;
        }
        network
    }

    fn inputs() -> Vec<f32> {
        (0..12).map(|i| (i as f32 * 0.83).sin() * 1.5).collect()
    }

    /// Layer by layer in double precision.
    fn slowly(parameters: &[f64], inputs: &[f32]) -> Vec<f64> {
        let mut rows: Vec<Vec<f64>> =
            inputs.chunks(3).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
        let mut start = 0;
        for (layer, pair) in SIZES.windows(2).enumerate() {
            for row in &mut rows {
                let out = (0..pair[1]).map(|o| {
                    let weights = &parameters[start + o * pair[0]..start + (o + 1) * pair[0]];
                    let bias = parameters[start + pair[0] * pair[1] + o];
                    let z = bias + weights.iter().zip(&*row).map(|(w, v)| w * v).sum::<f64>();
                    if layer + 2 < SIZES.len() { selu_f64(z) } else { z }
                });
                *row = out.collect();
            }
            start += (pair[0] + 1) * pair[1];
        }
        rows.concat()
    }

    fn doubled(network: &Mlp) -> Vec<f64> {
        network.parameters().iter().map(|&p| f64::from(p)).collect()
    }

    #[test]
    fn outputs_are_those_of_the_layers_written_out() {
        let network = network();
        let mut pass = Pass::new(&SIZES, 4);
        pass.input_mut().copy_from_slice(&inputs());
        network.forward(&mut pass);
        for (found, expected) in pass.output().iter().zip(slowly(&doubled(&network), &inputs())) {
            // A few dozen roundings of numbers of order one.
            assert!((f64::from(*found) - expected).abs() < 2e-6 * (1.0 + expected.abs()));
        }
    }

    #[test]
    fn gradients_are_finite_differences_of_the_loss() {
        let network = network();
        // Loss: outputs times fixed numbers, so that these are the gradient by the outputs.
        let by_output: Vec<f32> = (0..8).map(|i| (i as f32 * 1.7).cos()).collect();
        let mut pass = Pass::new(&SIZES, 4);
        pass.input_mut().copy_from_slice(&inputs());
        network.forward(&mut pass);
        pass.output_and_gradient().1.copy_from_slice(&by_output);
        let mut gradient = vec![f32::NAN; network.parameters().len()];
        network.backward(&mut pass, &mut gradient);
        let loss = |parameters: &[f64]| -> f64 {
            let outputs = slowly(parameters, &inputs());
            outputs.iter().zip(&by_output).map(|(o, &g)| o * f64::from(g)).sum()
        };
        let plain = doubled(&network);
        for (p, found) in gradient.iter().enumerate() {
            let shifted = |step: f64| {
                let mut shifted = plain.clone();
                shifted[p] += step;
                loss(&shifted)
            };
            let expected = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
            // Single precision through five layers; differences are good to 1e-9.
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                "{p}: {found} {expected}"
            );
        }
    }

    #[test]
    fn begins_as_zero_and_keeps_its_parameters() {
        let network = Mlp::random(&SIZES, &mut Seed(1).stream("test", 0));
        let mut pass = Pass::new(&SIZES, 4);
        pass.input_mut().copy_from_slice(&inputs());
        network.forward(&mut pass);
        assert!(pass.output().iter().all(|value| value.abs() < 1e-30));
        let parameters = network.parameters().to_vec();
        assert_eq!(Mlp::from_parameters(&SIZES, parameters.clone()).unwrap(), network);
        assert!(Mlp::from_parameters(&SIZES, parameters[1..].to_vec()).is_err());
        assert!(Mlp::from_parameters(&[3], Vec::new()).is_err());
        assert!(Mlp::from_parameters(&[1, 1], vec![f32::NAN, 0.0]).is_err());
        assert_eq!(network.layer(1).unwrap().0.dim(), (6, 7));
        assert!(network.layer(4).is_err());
    }
}
