//! Families of simulated courses: what they have in common, and what sets each apart.

/// The most fates that a family has.
pub(crate) const MOST_FATES: usize = 4;

/// Births and deaths per day of cells that have decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Births right after the decision. They decay with age at [`Family::slowing`].
    pub(crate) birth: f64,
    /// Births that stay at any age.
    pub(crate) lasting: f64,
    /// Deaths.
    pub(crate) death: f64,
    /// The logit that all cells have for this fate.
    pub(crate) logit: f64,
}

/// The parameters of a simulated course. Times are in days.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// Cells at time 0, one for each clone.
    pub(crate) n_founders: usize,
    /// Times of sampling.
    pub(crate) times: Vec<f64>,
    /// Share of the living cells that each sampling takes out of the population.
    pub(crate) sampled: Vec<f64>,
    /// One entry for each fate.
    pub(crate) fates: Vec<Rates>,
    /// Births and deaths of cells before they decide.
    pub(crate) undecided: [f64; 2],
    /// Age since the decision over which births fall by a factor of e.
    pub(crate) slowing: f64,
    /// Logarithmic standard deviation of a factor of all births of a clone.
    pub(crate) vigour: f64,
    /// From when to when cells decide. A cell without a decision has the same chance at any time that is left.
    pub(crate) window: [f64; 2],
    /// Time from the decision until expression shows it.
    pub(crate) delay: f64,
    /// Standard deviation of the logits of founders.
    pub(crate) leaning: f64,
    /// Standard deviation of the change of the logits at each division before the first sampling.
    pub(crate) drift: f64,
    /// Share of the variance of the logits that expression does not show.
    pub(crate) hidden: f64,
    /// Activity of a fate's early genes in an undecided cell that leans to this fate alone. It is 1 after the decision.
    pub(crate) shown: f64,
    /// Share of the activity of early genes that a mature cell loses; above 1 all of it goes before maturity.
    pub(crate) fading: f64,
    /// Median number of counts of a cell.
    pub(crate) depth: f64,
    pub(crate) n_genes: usize,
    /// Replicates. The cells of a clone are all in one of them.
    pub(crate) n_batches: usize,
    /// Share of cells whose barcode was read.
    pub(crate) barcoded: f64,
}

impl Family {
    fn plain(name: &'static str) -> Self {
        Self {
            name,
            n_founders: 650,
            times: vec![2.0, 6.0],
            sampled: vec![0.25, 0.12],
            fates: even(2),
            undecided: [0.9, 0.15],
            slowing: 2.0,
            vigour: 0.15,
            window: [1.5, 4.5],
            delay: 0.3,
            leaning: 2.0,
            drift: 0.6,
            hidden: 0.3,
            shown: 1.5,
            fading: 0.5,
            depth: 3000.0,
            n_genes: 800,
            n_batches: 3,
            barcoded: 0.85,
        }
    }
}

/// Fates with the same rates, the first somewhat more frequent than the last.
fn even(n: usize) -> Vec<Rates> {
    let logit = |f: usize| 0.5 - f as f64 / (n - 1) as f64;
    let rates = |f| Rates { birth: 0.8, lasting: 0.1, death: 0.15, logit: logit(f) };
    (0..n).map(rates).collect()
}

/// All families.
pub(crate) fn all() -> Vec<Family> {
    let plain = Family::plain;
    let unequal = vec![
        Rates { birth: 0.9, lasting: 0.1, death: 0.1, logit: -0.5 },
        Rates { birth: 0.5, lasting: 0.0, death: 0.2, logit: 0.5 },
    ];
    vec![
        // Many cells have decided by the first sampling, and it shows.
        Family {
            window: [0.5, 3.5],
            delay: 0.0,
            hidden: 0.1,
            sampled: vec![0.25, 0.2],
            ..plain("visible")
        },
        // Cells decide after the first sampling.
        Family { window: [3.0, 5.0], delay: 0.0, n_founders: 450, ..plain("late") },
        // Cells decide before the first sampling, and it shows long after.
        Family {
            window: [0.5, 2.5],
            delay: 1.5,
            hidden: 0.6,
            sampled: vec![0.25, 0.25],
            ..plain("hidden")
        },
        Family { fates: even(3), ..plain("three") },
        Family { fates: even(4), n_batches: 2, ..plain("four") },
        Family { fates: unequal, vigour: 0.3, n_founders: 300, ..plain("growth") },
        Family { depth: 1500.0, n_genes: 1000, ..plain("shallow") },
        Family {
            n_founders: 800,
            times: vec![2.0, 3.0, 4.0, 6.0],
            sampled: vec![0.15, 0.1, 0.1, 0.1],
            ..plain("times")
        },
        // As `times`, but mature cells have lost the genes by which their fate showed first.
        Family {
            n_founders: 800,
            times: vec![2.0, 3.0, 4.0, 6.0],
            sampled: vec![0.15, 0.1, 0.1, 0.1],
            window: [1.0, 3.0],
            fading: 2.5,
            ..plain("turning")
        },
        Family { n_founders: 150, n_batches: 2, n_genes: 600, ..plain("few") },
    ]
}
