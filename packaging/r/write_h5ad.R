# Writes counts and annotation of cells as an .h5ad file that sbcell reads, with hdf5r and Matrix alone.
#
#   source("write_h5ad.R")
#   write_h5ad(counts, obs, "course.h5ad")
#
# counts: a sparse matrix with genes in rows and cells in columns, as Seurat keeps it (class dgCMatrix).
# obs: a data frame with one row for each cell, named as the columns of `counts`. Texts and factors become categories.
#
# From a Seurat object: write_h5ad(SeuratObject::GetAssayData(object, "counts"), object@meta.data, "course.h5ad")
# (in Seurat 5: SeuratObject::LayerData(object, layer = "counts")).

write_h5ad <- function(counts, obs, file) {
  counts <- methods::as(counts, "CsparseMatrix")
  stopifnot(nrow(obs) == ncol(counts), identical(rownames(obs), colnames(counts)))
  h5 <- hdf5r::H5File$new(file, "w")
  on.exit(h5$close_all())
  texts <- hdf5r::H5T_STRING$new(size = Inf)$set_cset("UTF-8")
  attribute <- function(object, name, value) {
    space <- if (length(value) == 1) hdf5r::H5S$new("scalar") else NULL
    type <- if (is.character(value)) texts else NULL
    object$create_attr(name, robj = value, dtype = type, space = space)
  }
  encoded <- function(object, type, version) {
    attribute(object, "encoding-type", type)
    attribute(object, "encoding-version", version)
    object
  }
  array <- function(group, name, values) {
    type <- if (is.character(values)) texts else NULL
    dataset <- group$create_dataset(name, robj = values, dtype = type)
    encoded(dataset, if (is.character(values)) "string-array" else "array", "0.2.0")
  }
  column <- function(group, name, values) {
    if (is.numeric(values)) return(array(group, name, as.vector(values)))
    if (is.logical(values)) return(array(group, name, as.numeric(values)))
    values <- as.factor(values)
    category <- encoded(group$create_group(name), "categorical", "0.2.0")
    category$create_attr("ordered", robj = FALSE, space = hdf5r::H5S$new("scalar"))
    codes <- as.integer(values) - 1L
    array(category, "codes", ifelse(is.na(codes), -1L, codes))
    array(category, "categories", levels(values))
  }
  frame <- function(name, index, columns) {
    group <- encoded(h5$create_group(name), "dataframe", "0.2.0")
    attribute(group, "_index", "_index")
    order <- as.character(names(columns))
    group$create_attr("column-order", robj = order, dtype = texts, space = hdf5r::H5S$new("simple", dims = length(order)))
    array(group, "_index", index)
    for (name in names(columns)) column(group, name, columns[[name]])
  }
  encoded(h5, "anndata", "0.1.0")
  frame("obs", rownames(obs), obs)
  # A table of AnnData needs a column here: hdf5r writes no empty list of names.
  frame("var", rownames(counts), list(gene = rownames(counts)))
  # Columns of cells one after the other are the rows of AnnData's cells × genes matrix.
  x <- encoded(h5$create_group("X"), "csr_matrix", "0.1.0")
  x$create_attr("shape", robj = c(ncol(counts), nrow(counts)))
  array(x, "data", counts@x)
  array(x, "indices", counts@i)
  array(x, "indptr", counts@p)
  invisible(file)
}
