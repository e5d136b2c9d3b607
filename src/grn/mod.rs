//! GENES ON GENES: regulatory edges from a fitted bridge.
