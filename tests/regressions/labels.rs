//! Times, labels, names of genes and groups, edges and charts.
