//! Steps of equal width, the newest last.

use crate::model::time::Millis;

/// Steps that are kept.
pub const STEPS: usize = 60;

/// The last steps of one thing.
#[derive(Debug, Clone)]
pub struct Strip<T> {
    /// The number of the newest step.
    pub newest: Millis,
    levels: Vec<Option<T>>,
}

impl<T> Default for Strip<T> {
    fn default() -> Self {
        Self { newest: 0, levels: Vec::new() }
    }
}

impl<T: Clone> Strip<T> {
    /// Adds a step; what lies between is unknown.
    pub fn push(&mut self, step: Millis, level: Option<T>) {
        let missed = if self.levels.is_empty() { 0 } else { usize::try_from(step - self.newest - 1).unwrap_or(STEPS) };
        if missed >= STEPS {
            self.levels.clear();
        } else {
            self.levels.extend(std::iter::repeat_n(None, missed));
        }
        self.levels.push(level);
        let beyond = self.levels.len().saturating_sub(STEPS);
        self.levels.drain(..beyond);
        self.newest = step;
    }

    /// The last steps before one, the newest last; fewer where there were fewer.
    pub fn last(&self, now: Millis, most: usize) -> Vec<Option<T>> {
        let behind = usize::try_from(now - self.newest).unwrap_or(0).min(STEPS);
        let all = self.levels.iter().cloned().chain(std::iter::repeat_n(None, behind));
        let skip = (self.levels.len() + behind).saturating_sub(most);
        all.skip(skip).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_saw_stays_unknown() {
        let mut strip = Strip::default();
        strip.push(7, Some('h'));
        strip.push(10, Some('d'));
        assert_eq!(strip.levels, [Some('h'), None, None, Some('d')]);
        for step in 11..200 {
            strip.push(step, Some('w'));
        }
        assert_eq!(strip.levels.len(), STEPS);
        strip.push(10_000, Some('w'));
        assert_eq!(strip.levels.len(), 1, "all of it is long ago");
        // A clock that was set back.
        strip.push(3, None);
        assert_eq!(strip.newest, 3);
    }
}
