//! The kinds of failure, which determine the exit code of the program.

use crate::error::Error;

/// The kind of failure of an [`Error`]; it determines the exit code of the program.
///
/// ```
/// use sbcell::error::{Error, Kind};
///
/// assert_eq!(Error::Cancelled.kind(), Kind::Cancelled);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A valid request failed (exit code 1).
    Failed,
    /// The request is not valid, such as a parameter out of range (exit code 2).
    Usage,
    /// An input file cannot be read or has invalid values (exit code 3).
    Unreadable,
    /// The work needs more memory than it may use (exit code 5).
    Memory,
    /// The caller stopped the computation (exit code 130).
    Cancelled,
}

impl Error {
    /// The kind of this failure.
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
            Self::Memory { .. } | Self::UnitMemory(_) => Kind::Memory,
            Self::Cancelled => Kind::Cancelled,
            _ => Kind::Failed,
        }
    }
}
