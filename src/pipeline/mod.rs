//! WHOLE JOBS: what a command does, without the words.
