//! Every hot kernel against what this machine does in a plain loop of its kind, in the same run.
//!
//! `cargo bench --bench roofline` prints two tables: the plain loops, and for each kernel its flops
//! and bytes, the least time they could take, and the time they take, on one thread and on two. `-- blocks mixtures products gram neighbours
//! reading`, or some of these words, for some of the kernels.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod exponentials;
mod machine;
mod products;
mod reading;
mod timing;

use machine::{Limit, Machine};
use timing::OneAndTwo;

/// What an element is, its arithmetic, and its traffic between a core and its second-level cache.
pub(crate) struct Counted {
    pub(crate) element: &'static str,
    pub(crate) flops: f64,
    pub(crate) bytes: f64,
}

/// A kernel in the table.
pub(crate) struct Line {
    kernel: String,
    size: String,
    counted: Counted,
    limit: Limit,
    ns: OneAndTwo,
}

impl Line {
    pub(crate) fn new(
        kernel: &str,
        size: &str,
        counted: Counted,
        limit: Limit,
        ns: OneAndTwo,
    ) -> Self {
        Self { kernel: kernel.into(), size: size.into(), counted, limit, ns }
    }

    fn print(&self, machine: &Machine) {
        let Self { kernel, size, counted, limit, ns } = self;
        let (by, bound) = machine.bound(limit, counted);
        let both =
            |[one, two]: OneAndTwo, digits: usize| format!("{one:.digits$} / {two:.digits$}");
        let rate = |amount: f64| {
            if amount > 0.0 { both(ns.map(|ns| amount / ns), 1) } else { "–".into() }
        };
        // Products take hundredths of a nanosecond, stored values several.
        let digits = if bound[0] < 0.1 { 4 } else { 3 };
        let share = [0, 1].map(|at| 100.0 * bound[at] / ns[at]);
        println!(
            "| {kernel} | {size} | {} | {:.0} | {:.2} | {}: {} | {} | {} | {} | {} |",
            counted.element,
            counted.flops,
            counted.bytes,
            by,
            both(bound, digits),
            both(*ns, digits),
            rate(counted.flops),
            rate(counted.bytes),
            both(share, 0),
        );
    }
}

/// Kernels under the word that asks for them.
type Group = (&'static str, fn() -> Vec<Line>);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let asked = |group: &str| words.iter().any(|word| word == group);
    let groups: [Group; 6] = [
        ("blocks", exponentials::blocks),
        ("mixtures", exponentials::all_mixtures),
        ("products", products::plain),
        ("gram", products::gram),
        ("neighbours", products::neighbourhoods),
        ("reading", reading::matrix),
    ];
    let all = !groups.iter().any(|(group, _)| asked(group));
    // Before and after: what others do on this machine should not make a bound.
    let before = Machine::measured();
    let mut lines = Vec::new();
    for (_, measured) in groups.iter().filter(|(group, _)| all || asked(group)) {
        lines.extend(measured());
    }
    let machine = Machine::measured().better(&before);
    machine.print();
    println!(
        "\n| kernel | size | an element | flops | bytes | bound, ns | ours, ns | GFlop/s | GB/s | \
         share of bound, % |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for line in &lines {
        line.print(&machine);
    }
}
