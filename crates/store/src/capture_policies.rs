//! Which stages are captured for which types of event, and for how long.
