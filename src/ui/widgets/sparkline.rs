//! A row of bars.

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `width` values as bars, scaled to the highest of them.
#[must_use]
pub fn bars(values: &[u64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().max().unwrap_or(0).max(1);
    let pad = width - shown.len();
    let bar = |&v: &u64| {
        let step = usize::try_from((v * 8).div_ceil(highest)).unwrap_or(8);
        BARS[step.min(8)]
    };
    std::iter::repeat_n(' ', pad).chain(shown.iter().map(bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn the_highest_is_full_and_anything_is_visible() {
        assert_eq!(bars(&[0, 1, 8], 4), "  ▁█");
        assert_eq!(bars(&[0, 0], 2), "  ");
        assert_eq!(bars(&[5; 10], 3), "███");
    }
}
