//! Random filters and events: every way to ask has to agree with the plain evaluator in `brute`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod brute;
mod differential;
mod hostile;
mod make;
mod quamina;
