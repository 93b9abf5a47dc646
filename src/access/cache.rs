//! What was found out at some cost, kept for the next who asks.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// A bounded map that threads share. Whoever fills it only makes it begin again.
#[derive(Debug)]
pub struct Cache<V>(RwLock<HashMap<String, V>>);

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<V> Cache<V> {
    const MAX: usize = 1024;

    /// Returns what is made of the value under a name, if it is there and is of use.
    pub fn get<R>(&self, name: &str, of_use: impl FnOnce(&V) -> Option<R>) -> Option<R> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).and_then(of_use)
    }

    /// Keeps a value under a name.
    pub fn put(&self, name: String, value: V) {
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= Self::MAX {
            values.clear();
        }
        values.insert(name, value);
    }
}
