//! Tests of the page as a whole: escaping, size, missing parts and determinism.
