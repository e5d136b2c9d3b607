//! What is said of mistakes, and that it is safe to print.
