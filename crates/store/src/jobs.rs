//! Replays and bulk retries: work in the background that goes on where it stopped, whoever works on it.
//!
//! What must stay true: only the holder of the newest epoch moves a job.
