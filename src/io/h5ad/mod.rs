//! The AnnData on-disk format: reading any dialect of it, writing the current one.
