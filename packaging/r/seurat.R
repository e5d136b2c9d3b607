# The way from Seurat to sbcell and back, on the sample.
#
#   Rscript seurat.R write data.h5ad groups.csv seurat.h5ad    makes a Seurat object of the counts, and writes it
#   Rscript seurat.R read seurat.h5ad fates.csv                makes the object again, and adds the fates
#
# It needs SeuratObject, Matrix and hdf5r; without them it says SKIPPED.

for (name in c("SeuratObject", "Matrix", "hdf5r")) {
  if (!requireNamespace(name, quietly = TRUE)) {
    cat("SKIPPED Seurat: the package ", name, " is not installed\n", sep = "")
    quit()
  }
}
arguments <- commandArgs(trailingOnly = TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "write_h5ad.R"))

# A Seurat object of the sparse matrix `place` of an .h5ad file, whose rows are cells.
seurat_of <- function(file, place) {
  h5 <- hdf5r::H5File$new(file, "r")
  on.exit(h5$close_all())
  names_of <- function(group) as.character(h5[[group]][[hdf5r::h5attr(h5[[group]], "_index")]]$read())
  x <- h5[[place]]
  shape <- hdf5r::h5attr(x, "shape")
  # The rows of the file are the columns of the matrix in R.
  counts <- Matrix::sparseMatrix(i = x[["indices"]]$read() + 1, p = x[["indptr"]]$read(), x = as.numeric(x[["data"]]$read()),
                                 dims = rev(shape), dimnames = list(names_of("var"), names_of("obs")))
  object <- SeuratObject::CreateSeuratObject(counts)
  object$time <- h5[["obs/time"]]$read()
  object
}

if (arguments[1] == "write") {
  object <- seurat_of(arguments[2], "layers/counts")
  groups <- read.csv(arguments[3])
  object$group <- groups$group[match(colnames(object), groups$cell)]
  write_h5ad(SeuratObject::GetAssayData(object, "counts"), object@meta.data, arguments[4])
  cat(sprintf("wrote %s from a Seurat object: %d cells, %d genes\n", basename(arguments[4]), ncol(object), nrow(object)))
} else {
  object <- seurat_of(arguments[2], "X")
  fates <- read.csv(arguments[3], row.names = "id", check.names = FALSE)
  names <- sub("_lo$", "", grep("_lo$", names(fates), value = TRUE))
  object <- SeuratObject::AddMetaData(object, fates[, c(names, "undecided")])
  stopifnot(identical(rownames(object@meta.data), rownames(fates)), object$time == fates$time)
  cat(sprintf("added %s and undecided to a Seurat object of %d cells\n", paste(names, collapse = ", "), ncol(object)))
}
