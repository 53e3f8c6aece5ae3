//! Hash maps with a fast hash and a secret seed: keys come from strangers, who must not be able to make them collide.

pub(crate) use foldhash::fast::RandomState as Hasher;

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, Hasher>;
