//! Families of simulated courses with known networks, to choose settings by leaving one family out.

mod boolean;
mod boolean_networks;
mod bursty;
mod bursty_networks;
mod changed;
mod export;
mod independent;
mod linear;
mod methods;
mod reliability;
mod sizes;
mod tables;
mod wiring;

pub(crate) use export::export;
pub(crate) use reliability::reliability;
pub(crate) use sizes::sizes;
pub(crate) use tables::{leave_family_out, methods_by_family};

use sbcell::Seed;

use crate::simulated::{NETWORKS, Simulated};
use boolean_networks::Shape;
use bursty_networks::Kind;
use linear::System;

const N_SEEDS: u64 = 6;

/// Name of a family, and the course of a number.
type Simulator = (&'static str, fn(u64, Seed) -> Simulated);

/// Courses of one kind.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) courses: Vec<Simulated>,
}

/// All families. Simulated ones have as many courses as the first number among the words of the
/// command, or 6.
pub(crate) fn all() -> Vec<Family> {
    let number = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let numbers = 0..number.unwrap_or(N_SEEDS);
    let simulated: [Simulator; 7] = [
        ("boolean", |number, seed| boolean::course(Shape::of(number), seed)),
        ("linear", |number, seed| System::of(number).course(seed)),
        ("bursty", |number, seed| bursty::course(Kind::of(number), seed)),
        ("chain", |number, seed| {
            let n_genes = 4 + (number as usize / 2) % 3;
            if number % 2 == 0 {
                boolean::course(Shape::Rising(n_genes), seed)
            } else {
                bursty::course(Kind::Rising(n_genes), seed)
            }
        }),
        ("unregulated", |number, seed| {
            if number % 2 == 0 {
                boolean::course(Shape::Unregulated, seed)
            } else {
                bursty::course(Kind::Unregulated, seed)
            }
        }),
        ("dropout", |number, seed| {
            let course = if number % 2 == 0 {
                boolean::course(Shape::of(number / 2), seed)
            } else {
                bursty::course(Kind::of(number / 2 + 1), seed)
            };
            changed::dropped(course, seed)
        }),
        ("few", |number, seed| {
            let course = match number % 3 {
                0 => boolean::course(Shape::of(number / 3 + 1), seed),
                1 => System::of(number / 3).course(seed),
                _ => bursty::course(Kind::of(number / 3 + 3), seed),
            };
            changed::few(&course, 3 + number as usize % 2)
        }),
    ];
    let mut families: Vec<Family> = simulated
        .into_iter()
        .map(|(name, of)| {
            let one = |number| {
                let course = of(number, Seed(number).child(name, 0));
                Simulated { name: format!("{name}-{number}"), ..course }
            };
            Family { name, courses: numbers.clone().map(one).collect() }
        })
        .collect();
    for (name, is_dyn) in [("dyn", true), ("curated", false)] {
        let names = NETWORKS.into_iter().filter(|network| network.starts_with("dyn-") == is_dyn);
        families.push(Family { name, courses: names.map(Simulated::read).collect() });
    }
    families
}
