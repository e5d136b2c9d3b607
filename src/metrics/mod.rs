//! HOW GOOD IS IT: distances between populations of cells.
