//! COUNTS → COORDINATES: normalisation, gene selection, principal components.
