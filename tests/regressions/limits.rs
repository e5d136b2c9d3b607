//! Threads, memory, damaged models, and bytes that must not depend on the machine.
