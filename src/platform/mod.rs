//! PLATFORM: everything that differs between operating systems and processors.
//!
//! - [`cpu`]: vector instructions, and the one place where they are chosen
//! - [`memory`]: the memory of the machine and the limits of its containers; free space of a disk
//! - [`system`]: names of the operating system, the C library and the target
//! - `files`: identity and changes of files, locks, permissions, and the exchange of two folders
//!
//! No other module of the crate asks for an operating system or for a processor. The crate `sbcell-hdf5` has one
//! such place of its own: reads at a position (`hdf5/bytes.rs`).

#[doc(hidden)]
pub mod cpu;
pub(crate) mod files;
#[doc(hidden)]
pub mod memory;
#[doc(hidden)]
pub mod system;

#[doc(hidden)]
pub use files::link_or_copy;
