//! Bytes as a bridge of a model: restored between two snapshots and moved along, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use sbcell::Seed;
use sbcell::bridge::{BridgeRecord, UnitTime};
use sbcell::data::Snapshot;
use sbcell::io::model::{Header, Interval};

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Header>(bytes);
    let record = match serde_json::from_slice::<Interval>(bytes) {
        Ok(interval) => interval.bridge,
        Err(_) => match serde_json::from_slice::<BridgeRecord>(bytes) {
            Ok(record) => record,
            Err(_) => return,
        },
    };
    let cells = |shift: f64| {
        Snapshot::new(Array2::from_shape_fn((5, 2), |(i, d)| (i * (d + 1)) as f64 * 0.3 + shift))
    };
    let (Ok(source), Ok(target)) = (cells(0.0), cells(1.0)) else { return };
    let Ok(bridge) = record.restore(&source, &target) else { return };
    let Ok(middle) = UnitTime::new(0.5) else { return };
    let _ = bridge.drift(source.points(), middle);
    let _ = bridge.sample_transition(source.points(), UnitTime::START, middle, Seed(0));
    let _ = bridge.link(&source, &target, Seed(0));
});
