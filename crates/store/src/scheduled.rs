//! Events that are to happen later, until they do or are cancelled.
