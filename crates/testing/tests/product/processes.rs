//! The binary as a process of its own: signals, the demo, kill -9.
