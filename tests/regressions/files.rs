//! Files that are written, replaced, annotated and stripped.
