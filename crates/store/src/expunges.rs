//! Taking the payload of an event out of the record on purpose, with the reason.
