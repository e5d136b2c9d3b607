# Reads the folder that `sbcell run` wrote into R, and draws it with base graphics.
#
#   Rscript read_results.R RESULTS FIGURES.pdf [TABLES]
#
# RESULTS is the folder of `sbcell run`. TABLES is the folder of `sbcell export RESULTS --format csv --out TABLES`: it has
# as CSV what RESULTS has as parquet. Base R is enough. jsonlite (run.json), nanoparquet or arrow (parquet), and rhdf5,
# hdf5r or anndataR (annotated.h5ad) are used where they are installed; each other one is named in a line `SKIPPED`.

said <- function(...) cat(sprintf(...), "\n", sep = "")
installed <- function(name) requireNamespace(name, quietly = TRUE)

# With check.names = FALSE, names of groups and genes stay as they are. Missing numbers are `NaN` or empty cells.
read_table <- function(file) read.csv(file, check.names = FALSE, na.strings = "")

# All CSV files of the folder, named by their path without `.csv`.
read_tables <- function(folder) {
  files <- list.files(folder, "\\.csv$", recursive = TRUE)
  tables <- lapply(file.path(folder, files), read_table)
  names(tables) <- sub("\\.csv$", "", files)
  for (name in names(tables)) {
    said("read %s.csv: %d rows, %d columns", name, nrow(tables[[name]]), ncol(tables[[name]]))
  }
  tables
}

# The command lines of the steps.
read_steps <- function(folder) {
  if (!installed("jsonlite")) {
    said("SKIPPED run.json: the package jsonlite is not installed")
    return(NULL)
  }
  run <- jsonlite::fromJSON(file.path(folder, "run.json"), simplifyVector = FALSE)
  stopifnot(run$command == "run")
  said("read run.json with jsonlite: sbcell %s, %d steps", run$sbcell, length(run$steps))
  run$steps
}

# A parquet file by each package that can read it; NULL without any.
read_parquet <- function(file) {
  found <- NULL
  readers <- list(
    nanoparquet = function() nanoparquet::read_parquet(file),
    arrow = function() arrow::read_parquet(file)
  )
  for (name in names(readers)) {
    if (!installed(name)) {
      said("SKIPPED %s: the package %s is not installed", basename(file), name)
      next
    }
    found <- as.data.frame(readers[[name]](), check.names = FALSE)
    said("read %s with %s: %d rows, %d columns", basename(file), name, nrow(found), ncol(found))
  }
  found
}

# Names, times and coordinates of the cells in an annotated file, by each package that can read it; NULL without any.
read_annotated <- function(file) {
  found <- NULL
  index <- function(of) as.character(of)
  readers <- list(
    rhdf5 = function() {
      key <- rhdf5::h5readAttributes(file, "obs")[["_index"]]
      read <- function(name) rhdf5::h5read(file, name)
      # HDF5 stores rows first: in R, a matrix of AnnData has coordinates in rows and cells in columns.
      list(id = index(read(paste0("obs/", key))), time = as.numeric(read("obs/sbcell_time")), points = t(read("obsm/X_sbcell")))
    },
    hdf5r = function() {
      h5 <- hdf5r::H5File$new(file, "r")
      on.exit(h5$close_all())
      key <- hdf5r::h5attr(h5[["obs"]], "_index")
      list(id = index(h5[["obs"]][[key]]$read()), time = h5[["obs/sbcell_time"]]$read(), points = t(h5[["obsm/X_sbcell"]]$read()))
    },
    anndataR = function() {
      data <- anndataR::read_h5ad(file)
      list(id = index(data$obs_names), time = data$obs$sbcell_time, points = data$obsm$X_sbcell)
    }
  )
  for (name in names(readers)) {
    if (!installed(name)) {
      said("SKIPPED %s: the package %s is not installed", basename(file), name)
      next
    }
    cells <- readers[[name]]()
    said("read %s with %s: %d cells, %d coordinates", basename(file), name, length(cells$id), ncol(cells$points))
    stopifnot(is.null(found) || all.equal(found, cells, check.attributes = FALSE))
    found <- cells
  }
  found
}

colours <- function(n) hcl.colors(max(n, 2), "viridis")

# The cells of each time in the first two coordinates; `places` has the columns time, x, y.
draw_populations <- function(places, title) {
  times <- sort(unique(places$time))
  shown <- times[unique(round(seq(1, length(times), length.out = min(12, length(times)))))]
  before <- par(mfrow = c(3, 4), mar = c(2, 2, 2, 1), oma = c(1, 1, 2, 0))
  on.exit(par(before))
  for (time in shown) {
    plot(range(places$x), range(places$y), type = "n", xlab = "", ylab = "", main = paste("time", time))
    points(places$x, places$y, pch = 16, cex = 0.2, col = "grey85")
    here <- places[places$time == time, ]
    points(here$x, here$y, pch = 16, cex = 0.4, col = colours(length(times))[match(time, times)])
  }
  mtext(title, outer = TRUE, font = 2)
}

# The names of the fates: the columns that have an interval.
fate_names <- function(fates) {
  ends <- grep("_lo$", names(fates), value = TRUE)
  sub("_lo$", "", ends)
}

# Three fates as a triangle, two as the spread of one at each time, more as mean shares at each time.
draw_fates <- function(fates) {
  names <- fate_names(fates)
  shares <- as.matrix(fates[, names, drop = FALSE])
  known <- rowSums(is.na(shares)) == 0
  shares <- shares[known, , drop = FALSE]
  time <- fates$time[known]
  if (length(names) == 3) {
    corners <- rbind(c(0, 0), c(1, 0), c(0.5, sqrt(3) / 2))
    place <- shares %*% corners
    times <- sort(unique(time))
    plot(place, pch = 16, cex = 0.5, col = colours(length(times))[match(time, times)], axes = FALSE, xlab = "", ylab = "",
         xlim = c(-0.1, 1.1), ylim = c(-0.1, 1), asp = 1, main = "Fates of cells")
    polygon(corners)
    text(corners, names, pos = c(1, 1, 3))
    legend("topright", legend = times, col = colours(length(times)), pch = 16, title = "time", bty = "n")
  } else if (length(names) == 2) {
    # Both means stay the same over time; the spread over cells shows how decided they are.
    boxplot(split(shares[, 1], time), col = colours(3)[2], ylim = c(0, 1), xlab = "time", ylab = paste("probability of", names[1]),
            main = "Fates of cells by time")
  } else {
    means <- sapply(split(as.data.frame(shares, check.names = FALSE), time), colMeans)
    before <- par(mar = c(5, 4, 3, 9), xpd = TRUE)
    on.exit(par(before))
    barplot(means, col = colours(length(names)), xlab = "time", ylab = "mean fate probability", main = "Fates by time")
    legend("right", names, fill = colours(length(names)), inset = -0.2, bty = "n")
  }
}

# The shares of the descendants of each group between the first and the last time.
draw_transitions <- function(transitions) {
  far <- transitions[transitions$t1 - transitions$t0 == max(transitions$t1 - transitions$t0), ]
  shares <- tapply(far$prob, list(far$source, far$target), sum)
  image(seq_len(ncol(shares)), seq_len(nrow(shares)), t(shares), zlim = c(0, 1), col = hcl.colors(50, "Blues", rev = TRUE),
        axes = FALSE, xlab = paste("group at", far$t1[1]), ylab = paste("group at", far$t0[1]), main = "Transitions")
  axis(1, seq_len(ncol(shares)), colnames(shares))
  axis(2, seq_len(nrow(shares)), rownames(shares))
  for (row in seq_len(nrow(shares))) {
    text(seq_len(ncol(shares)), row, sprintf("%.0f %%", 100 * shares[row, ]), col = ifelse(shares[row, ] > 0.5, "white", "black"))
  }
  box()
}

# The most certain edges; estimators without a calibration have no confidence, and are drawn by importance.
draw_edges <- function(edges) {
  by <- if (all(is.na(edges$confidence))) "importance" else "confidence"
  first <- head(edges[order(-edges[[by]]), ], 25)
  before <- par(mar = c(4, 9, 3, 1))
  on.exit(par(before))
  arrow <- ifelse(first$sign > 0, "->", "-|")
  barplot(rev(first[[by]]), names.arg = rev(paste(first$TF, arrow, first$target)), horiz = TRUE, las = 1, cex.names = 0.7,
          col = rev(ifelse(first$sign > 0, "#0072b2", "#d55e00")), xlab = by, main = "First edges")
  legend("bottomright", c("activation", "inhibition"), fill = c("#0072b2", "#d55e00"), bg = "white")
}

main <- function(arguments) {
  if (!length(arguments) %in% 2:3) stop("usage: Rscript read_results.R RESULTS FIGURES.pdf [TABLES]")
  results <- arguments[1]
  tables <- read_tables(results)
  read_steps(results)
  populations <- read_parquet(file.path(results, "populations.parquet"))
  exported <- if (length(arguments) == 3) read_table(file.path(arguments[3], "populations.csv"))
  if (is.null(populations)) {
    if (is.null(exported)) {
      said("SKIPPED populations: no package reads parquet; give the folder that `sbcell export` wrote")
    } else {
      said("read populations.csv of sbcell export: %d rows, %d columns", nrow(exported), ncol(exported))
    }
    populations <- exported
  } else if (!is.null(exported)) {
    stopifnot(all.equal(populations, exported, check.attributes = FALSE))
  }
  annotated <- file.path(results, "annotated.h5ad")
  cells <- if (file.exists(annotated)) read_annotated(annotated)

  # The tables belong together: the same cells at the same times.
  fates <- tables$fates
  if (!is.null(cells)) {
    place <- match(fates$id, cells$id)
    stopifnot(!anyNA(place), all(cells$time[place] == fates$time))
  }
  stopifnot(is.numeric(fates$time), is.numeric(fates$undecided), is.numeric(tables$edges$confidence))
  # Cells of the last time without a group have no fate.
  stopifnot(abs(rowSums(fates[, fate_names(fates), drop = FALSE]) - 1) < 1e-9 | is.na(fates$entropy))
  sums <- aggregate(prob ~ t0 + t1 + source, tables$transitions, sum)
  stopifnot(abs(sums$prob - 1) < 1e-9)

  pdf(arguments[2], width = 10, height = 7.5)
  on.exit(dev.off())
  if (!is.null(cells)) {
    known <- !is.na(cells$time)
    places <- data.frame(time = cells$time, x = cells$points[, 1], y = cells$points[, 2])[known, ]
    draw_populations(places, "Observed cells in the first two coordinates")
  }
  if (!is.null(populations)) {
    coordinates <- setdiff(names(populations), c("time", "particle", "weight"))[1:2]
    places <- data.frame(time = populations$time, x = populations[[coordinates[1]]], y = populations[[coordinates[2]]])
    draw_populations(places, "Populations between the samples")
  }
  draw_fates(fates)
  draw_transitions(tables$transitions)
  draw_edges(tables$edges)
  said("drew %s", arguments[2])
}

main(commandArgs(trailingOnly = TRUE))
