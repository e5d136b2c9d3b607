//! The networks of a course with their learning curve, as a file of named tensors (safetensors).

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::error::{Error, Result};
use crate::linalg::{Mlp, PreciseMlp};

/// The trained networks that all intervals of a course share, with their learning curve.
///
/// The input is a position, standardised for its interval, followed by the time: d + 1 numbers. The
/// output has d numbers. The networks are trained in single precision and evaluated in double
/// precision.
///
/// ```
/// use sbcell::bridge::FlowNetworks;
/// use sbcell::linalg::Mlp;
///
/// # fn main() -> sbcell::Result<()> {
/// // One coordinate and the time, two hidden units, one coordinate: 2·2 + 2 + 2·1 + 1 numbers.
/// let flow = Mlp::from_parameters(&[2, 2, 1], vec![0.5; 9])?;
/// let networks = FlowNetworks::new(flow, None, Vec::new())?;
/// let bytes = networks.to_bytes()?;
/// assert_eq!(FlowNetworks::from_bytes(&bytes)?, networks);
/// assert_eq!(networks.dim(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FlowNetworks {
    /// The velocity network in single and in double precision.
    flow: (Mlp, PreciseMlp),
    /// The score network in both precisions.
    score: Option<(Mlp, PreciseMlp)>,
    /// The learning curve.
    curve: Vec<CurvePoint>,
}

/// The losses at one point of the training.
///
/// The loss of the flow is in units of the variance of `x₁ − x₀`. The loss of the score is 1 for a
/// score of zero. Training losses are means since the previous point.
///
/// ```
/// use sbcell::bridge::CurvePoint;
///
/// let point = CurvePoint {
///     step: 200,
///     flow_training: 0.25,
///     flow_held_out: 0.5,
///     score_training: 0.0,
///     score_held_out: 0.0,
/// };
/// assert_eq!(point.values().len(), CurvePoint::NAMES.len());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Number of steps so far.
    pub step: usize,
    /// Loss of the flow on its training batches; before the first step, on the first batch.
    pub flow_training: f64,
    /// Loss of the flow on held-out pairs.
    pub flow_held_out: f64,
    /// Loss of the score on its training batches; 0 without a score.
    pub score_training: f64,
    /// Loss of the score on held-out pairs; 0 without a score.
    pub score_held_out: f64,
}

impl CurvePoint {
    /// Names of the numbers, in order.
    pub const NAMES: [&'static str; 5] =
        ["step", "flow_training", "flow_held_out", "score_training", "score_held_out"];

    /// The numbers, in the order of [`CurvePoint::NAMES`].
    #[must_use]
    pub fn values(&self) -> [f64; 5] {
        let Self { step, flow_training, flow_held_out, score_training, score_held_out } = *self;
        [step as f64, flow_training, flow_held_out, score_training, score_held_out]
    }
}

impl FlowNetworks {
    /// From trained networks and their learning curve.
    ///
    /// # Errors
    /// [`Error::Shape`] unless each network has one more input than outputs and both have the same
    /// dimension.
    pub fn new(flow: Mlp, score: Option<Mlp>, curve: Vec<CurvePoint>) -> Result<Self> {
        let dim = flow.sizes().last().copied().unwrap_or(0);
        for network in [Some(&flow), score.as_ref()].into_iter().flatten() {
            let sizes = network.sizes();
            if sizes[0] != dim + 1 || sizes.last() != Some(&dim) {
                let (what, unit) = ("a network", "inputs");
                return Err(Error::Shape { what, unit, expected: dim + 1, got: sizes[0] });
            }
        }
        let precise = |network: Mlp| -> Result<(Mlp, PreciseMlp)> {
            let precise = PreciseMlp::new(&network)?;
            Ok((network, precise))
        };
        Ok(Self { flow: precise(flow)?, score: score.map(precise).transpose()?, curve })
    }

    /// Number of dimensions d.
    pub fn dim(&self) -> usize {
        self.flow.0.sizes()[0] - 1
    }

    /// The network of the velocity.
    pub fn flow(&self) -> &Mlp {
        &self.flow.0
    }

    /// The network of the score; `None` for paths without noise.
    pub fn score(&self) -> Option<&Mlp> {
        self.score.as_ref().map(|score| &score.0)
    }

    /// The learning curve.
    pub fn curve(&self) -> &[CurvePoint] {
        &self.curve
    }

    /// Both networks in double precision.
    pub(super) fn precise(&self) -> (&PreciseMlp, Option<&PreciseMlp>) {
        (&self.flow.1, self.score.as_ref().map(|score| &score.1))
    }

    /// The contents of a safetensors file: `flow.0.weight`, `flow.0.bias`, … and `score.0.weight`,
    /// … in single precision, with the shapes of PyTorch, and `curve` in double precision with the
    /// columns [`CurvePoint::NAMES`].
    ///
    /// # Errors
    /// [`Error::Numerical`] if the format refuses a tensor.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let both = [("flow", Some(&self.flow.0)), ("score", self.score())];
        for (name, network) in both.into_iter().filter_map(|(n, network)| Some((n, network?))) {
            for layer in 0..network.n_layers() {
                let (weights, biases) = network.layer(layer)?;
                let bytes = |values: &mut dyn Iterator<Item = &f32>| -> Vec<u8> {
                    values.flat_map(|value| value.to_le_bytes()).collect()
                };
                let shape = vec![weights.nrows(), weights.ncols()];
                let weights = bytes(&mut weights.iter());
                tensors.push((format!("{name}.{layer}.weight"), Dtype::F32, shape, weights));
                let (shape, biases) = (vec![biases.len()], bytes(&mut biases.iter()));
                tensors.push((format!("{name}.{layer}.bias"), Dtype::F32, shape, biases));
            }
        }
        let curve = self.curve.iter().flat_map(CurvePoint::values).flat_map(f64::to_le_bytes);
        let shape = vec![self.curve.len(), CurvePoint::NAMES.len()];
        tensors.push(("curve".into(), Dtype::F64, shape, curve.collect()));
        let views = tensors.iter().map(|(name, kind, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(*kind, shape.clone(), bytes).map_err(failed)?))
        });
        let views: Vec<(&str, TensorView<'_>)> = views.collect::<Result<_>>()?;
        serialize(views, None).map_err(failed)
    }

    /// Reads the result of [`FlowNetworks::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Numerical`] if the bytes are not such a file; the errors of
    /// [`Mlp::from_parameters`] and [`FlowNetworks::new`] if the tensors do not form networks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(failed)?;
        let flow = read_network(&file, "flow")?
            .ok_or_else(|| failed("there is no tensor `flow.0.weight`"))?;
        let score = read_network(&file, "score")?;
        let curve = file.tensor("curve").map_err(failed)?;
        let values = numbers(&curve, Dtype::F64, |bytes: [u8; 8]| f64::from_le_bytes(bytes))?;
        let curve = values.as_chunks::<5>().0.iter().map(|values| {
            let [step, flow_training, flow_held_out, score_training, score_held_out] = *values;
            let step = step as usize;
            CurvePoint { step, flow_training, flow_held_out, score_training, score_held_out }
        });
        Self::new(flow, score, curve.collect())
    }
}

/// The network with the layers `name.0`, `name.1`, …; `None` if there is no first layer.
fn read_network(file: &SafeTensors<'_>, name: &str) -> Result<Option<Mlp>> {
    let (mut sizes, mut parameters) = (Vec::new(), Vec::new());
    for layer in 0.. {
        let Ok(weights) = file.tensor(&format!("{name}.{layer}.weight")) else { break };
        let biases = file.tensor(&format!("{name}.{layer}.bias")).map_err(failed)?;
        let [n_out, n_in] = *weights.shape() else {
            return Err(failed("the weights of a layer are no matrix"));
        };
        if sizes.is_empty() {
            sizes.push(n_in);
        }
        if sizes.last() != Some(&n_in) || biases.shape() != [n_out] {
            return Err(failed("layers do not fit together"));
        }
        sizes.push(n_out);
        for tensor in [weights, biases] {
            parameters.extend(numbers(&tensor, Dtype::F32, |b: [u8; 4]| f32::from_le_bytes(b))?);
        }
    }
    if sizes.is_empty() { Ok(None) } else { Mlp::from_parameters(&sizes, parameters).map(Some) }
}

/// The numbers of a tensor of the expected type.
fn numbers<T, const N: usize>(
    tensor: &TensorView<'_>,
    kind: Dtype,
    read: fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    if tensor.dtype() != kind {
        return Err(failed(format!("a tensor is {:?}, expected {kind:?}", tensor.dtype())));
    }
    Ok(tensor.data().as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect())
}

/// The error for a file that is not a file of networks.
fn failed(why: impl std::fmt::Display) -> Error {
    Error::Numerical { what: "reading or writing networks", why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn networks(with_score: bool) -> FlowNetworks {
        let random = |index| {
            let mut network = Mlp::random(&[4, 5, 6, 3], &mut Seed(1).stream("test", index));
            network.parameters_mut()[70] = 0.25;
            network
        };
        let point = CurvePoint {
            step: 7,
            flow_training: 0.1,
            flow_held_out: 1.0 / 3.0,
            score_training: 2.0,
            score_held_out: 3.0,
        };
        FlowNetworks::new(random(0), with_score.then(|| random(1)), vec![point; 3]).unwrap()
    }

    #[test]
    fn a_file_written_and_read_is_the_same() {
        for with_score in [false, true] {
            let networks = networks(with_score);
            let read = FlowNetworks::from_bytes(&networks.to_bytes().unwrap()).unwrap();
            assert_eq!(read, networks);
        }
    }

    #[test]
    fn damaged_files_are_errors() {
        let bytes = networks(true).to_bytes().unwrap();
        for end in (0..bytes.len()).step_by(37) {
            assert!(FlowNetworks::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        for place in (0..600).step_by(7) {
            let mut other = bytes.clone();
            other[place] ^= 0x15;
            // An error or other numbers, but no panic.
            let _ = FlowNetworks::from_bytes(&other);
        }
        let misfit = Mlp::random(&[4, 4], &mut Seed(1).stream("test", 0));
        assert!(FlowNetworks::new(misfit, None, Vec::new()).is_err());
    }
}
