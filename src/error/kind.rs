//! What kind of failure an error is, from which its exit code follows.

use crate::error::Error;

/// What kind of failure an [`Error`] is; the terminal turns it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was asked for correctly and failed (exit code 1).
    Failed,
    /// It cannot be done as it was asked for (exit code 2).
    Usage,
    /// The input file cannot be read (exit code 3).
    Unreadable,
    /// The user stopped it (exit code 130).
    Cancelled,
}

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Parameter { .. }
            | Self::Shape { .. }
            | Self::TimeLabels { .. }
            | Self::TooFewTimes { .. }
            | Self::TimeColumnsDisagree { .. }
            | Self::NoTimeColumn { .. }
            | Self::FilterSyntax { .. }
            | Self::FilterValue { .. }
            | Self::NoModel { .. }
            | Self::OutputTaken { .. }
            | Self::OtherPlan { .. }
            | Self::ParameterOfOtherSolver { .. }
            | Self::NoCells { .. }
            | Self::EmptyTime { .. }
            | Self::GrowthValue { .. }
            | Self::GrowthText { .. }
            | Self::TimeMapWithoutColumn { .. }
            | Self::GrowthMissing { .. }
            | Self::NoGenes { .. }
            | Self::GeneNotAmong { .. }
            | Self::FewGenes { .. }
            | Self::OutsideTimes { .. }
            | Self::NotObserved { .. }
            | Self::UnknownTime { .. }
            | Self::UnknownGroup { .. }
            | Self::ReferenceNotTaken { .. }
            | Self::NoGeneSpace { .. }
            | Self::NotHeld { .. }
            | Self::Negative { .. }
            | Self::KeysTaken { .. }
            | Self::OtherCells { .. }
            | Self::SameFile { .. }
            | Self::OutputIsInput { .. }
            | Self::OutputInModel { .. }
            | Self::FileTaken { .. }
            | Self::UnknownKey { .. }
            | Self::NoMatrix { .. } => Kind::Usage,
            Self::Unreadable { .. }
            | Self::InputChanged { .. }
            | Self::NoFile { .. }
            | Self::Io { action: "read", .. }
            | Self::SparseStructure(_)
            | Self::EmbeddingNotFinite { .. }
            | Self::Overflows { .. }
            | Self::NotFinite { .. } => Kind::Unreadable,
            Self::Cancelled => Kind::Cancelled,
            _ => Kind::Failed,
        }
    }
}
