//! A training step of our network and AdamW against candle's, with the same sizes and activation.

use candle_core::{DType, Device, Tensor};
use candle_nn::{
    AdamW as CandleAdamW, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, linear,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sbcell::linalg::{AdamW, Mlp, Pass};

use crate::{compare, median_of_five};

const STEPS: usize = 200;
const SCALE: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

fn selu(x: &Tensor) -> candle_core::Result<Tensor> {
    x.elu(ALPHA)? * SCALE
}

pub(crate) fn run() {
    for (dim, hidden, batch) in [(51, 64, 256), (51, 64, 512), (101, 256, 512)] {
        let sizes = [dim, hidden, hidden, hidden, dim - 1];
        let input: Vec<f32> =
            (0..batch * dim).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let target: Vec<f32> =
            (0..batch * (dim - 1)).map(|i| ((i * 53 % 97) as f32 - 48.0) / 48.0).collect();

        let mut loss = 0.0_f64;
        let ours = median_of_five(|| {
            let mut stream = ChaCha8Rng::seed_from_u64(3);
            let mut network = Mlp::random(&sizes, &mut stream);
            let mut pass = Pass::new(&sizes, batch);
            let mut gradient = vec![0.0; network.parameters().len()];
            let mut adamw = AdamW::new(gradient.len(), 0.01);
            for _ in 0..STEPS {
                pass.input_mut().copy_from_slice(&input);
                network.forward(&mut pass);
                let (output, by_output) = pass.output_and_gradient();
                loss = 0.0;
                for ((g, o), t) in by_output.iter_mut().zip(output).zip(&target) {
                    *g = 2.0 * (o - t) / target.len() as f32;
                    loss += f64::from((o - t) * (o - t)) / target.len() as f64;
                }
                network.backward(&mut pass, &mut gradient);
                adamw.step(network.parameters_mut(), &gradient, 1e-3);
            }
        });
        println!("{sizes:?}, batch {batch}: our loss after {STEPS} steps {loss:.4}");

        let device = Device::Cpu;
        let mut loss = 0.0_f32;
        let theirs = median_of_five(|| {
            let variables = VarMap::new();
            let builder = VarBuilder::from_varmap(&variables, DType::F32, &device);
            let layers: Vec<Linear> = sizes
                .windows(2)
                .enumerate()
                .map(|(i, pair)| linear(pair[0], pair[1], builder.pp(format!("l{i}"))).unwrap())
                .collect();
            let settings = ParamsAdamW { lr: 1e-3, weight_decay: 0.01, ..ParamsAdamW::default() };
            let mut adamw = CandleAdamW::new(variables.all_vars(), settings).unwrap();
            let x = Tensor::from_slice(&input, (batch, dim), &device).unwrap();
            let y = Tensor::from_slice(&target, (batch, dim - 1), &device).unwrap();
            for _ in 0..STEPS {
                let mut h = x.clone();
                for (i, layer) in layers.iter().enumerate() {
                    h = layer.forward(&h).unwrap();
                    if i + 1 < layers.len() {
                        h = selu(&h).unwrap();
                    }
                }
                let error = candle_nn::loss::mse(&h, &y).unwrap();
                loss = error.to_scalar().unwrap();
                adamw.backward_step(&error).unwrap();
            }
        });
        println!("{sizes:?}, batch {batch}: candle's loss after {STEPS} steps {loss:.4}");
        compare(&format!("{STEPS} steps, sizes {sizes:?}, batch {batch}"), ours, theirs);
    }
}
