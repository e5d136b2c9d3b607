//! A network and its training against PyTorch (`data-samples/reference/network.py`).

use sbcell::linalg::{AdamW, Mlp, Pass};

const SIZES: [usize; 4] = [3, 5, 4, 2];
const N_ROWS: usize = 6;

fn numbers(n: usize, factor: f64) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| {
        let place = (i as f64 * factor + 1.0) * 0.618_033_988_7;
        2.0 * (place - place.floor()) - 1.0
    })
}

fn reference(kind: &str) -> Vec<f64> {
    let text = include_str!("../../data-samples/reference/network.csv");
    let lines = text.lines().filter_map(|line| line.split_once(','));
    lines.filter(|line| line.0 == kind).map(|line| line.1.parse().unwrap()).collect()
}

#[test]
fn training_goes_where_pytorch_goes() {
    let mut parameters: Vec<f32> = Vec::new();
    for pair in SIZES.windows(2) {
        parameters.extend(numbers(pair[0] * pair[1], 1.0).map(|v| v as f32));
        parameters.extend(numbers(pair[1], 3.0).map(|v| (0.1 * v) as f32));
    }
    let mut network = Mlp::from_parameters(&SIZES, parameters).unwrap();
    let mut adam = AdamW::new(network.parameters().len(), 0.1);
    let mut pass = Pass::new(&SIZES, N_ROWS);
    for (to, from) in pass.input_mut().iter_mut().zip(numbers(N_ROWS * 3, 5.0)) {
        *to = from as f32;
    }
    let wanted: Vec<f64> = numbers(N_ROWS * 2, 7.0).collect();
    let mut gradient = vec![0.0; network.parameters().len()];
    for expected in reference("loss") {
        network.forward(&mut pass);
        let (output, by_output) = pass.output_and_gradient();
        let mut loss = 0.0;
        for ((gradient, output), wanted) in by_output.iter_mut().zip(output).zip(&wanted) {
            let off = f64::from(*output) - wanted;
            loss += off * off / wanted_len(&SIZES);
            *gradient = (2.0 * off / wanted_len(&SIZES)) as f32;
        }
        // Single precision, growing over fifty steps.
        assert!((loss - expected).abs() < 2e-5 * expected, "{loss} {expected}");
        network.backward(&mut pass, &mut gradient);
        adam.step(network.parameters_mut(), &gradient, 0.01);
    }
    for (found, expected) in network.parameters().iter().zip(reference("parameter")) {
        assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} {expected}");
    }
}

fn wanted_len(sizes: &[usize]) -> f64 {
    (N_ROWS * sizes[sizes.len() - 1]) as f64
}
