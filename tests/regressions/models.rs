//! Models: what they record, what belongs to them, fits that meet or die.
