//! Results of several runs.

use crate::catalog::What;

/// All measurements so far, in the order in which they were first recorded.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

/// One measurement with a sample per run.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What is measured.
    pub(crate) what: &'static What,
    samples: Vec<f64>,
}

impl Figures {
    /// Records a sample.
    pub(crate) fn note(&mut self, what: &'static What, sample: f64) {
        match self.0.iter_mut().find(|figure| std::ptr::eq(figure.what, what)) {
            Some(figure) => figure.samples.push(sample),
            None => self.0.push(Figure {
                what,
                samples: vec![sample],
            }),
        }
    }

    /// The latest sample.
    pub(crate) fn last(&self, what: &'static What) -> Option<f64> {
        let figure = self.0.iter().find(|figure| std::ptr::eq(figure.what, what))?;
        figure.samples.last().copied()
    }

    /// All measurements.
    pub(crate) fn all(&self) -> &[Figure] {
        &self.0
    }
}

impl Figure {
    /// The median.
    pub(crate) fn median(&self) -> f64 {
        quantile(&self.samples, 0.5)
    }

    /// The minimum.
    pub(crate) fn least(&self) -> f64 {
        quantile(&self.samples, 0.0)
    }

    /// The maximum.
    pub(crate) fn most(&self) -> f64 {
        quantile(&self.samples, 1.0)
    }
}

/// The smallest sample that at least this fraction of all samples does not exceed; for an even number of samples the
/// median is the mean of the two in the middle.
pub(crate) fn quantile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |rank: usize| sorted.get(rank).or(sorted.last()).copied().unwrap_or_default();
    let half = sorted.len() / 2;
    if part.total_cmp(&0.5).is_eq() && sorted.len().is_multiple_of(2) {
        return f64::midpoint(at(half.saturating_sub(1)), at(half));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank, from 0 to the number of samples"
    )]
    let rank = (crate::number::figure(sorted.len()) * part.clamp(0.0, 1.0)).ceil() as usize;
    at(rank.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_observed_samples() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert!((quantile(&samples, 0.99) - 198.0).abs() < f64::EPSILON);
        assert!((quantile(&samples, 0.95) - 190.0).abs() < f64::EPSILON);
        assert!((quantile(&samples, 0.0) - 1.0).abs() < f64::EPSILON);
        assert!((quantile(&samples, 1.0) - 200.0).abs() < f64::EPSILON);
        assert!((quantile(&[3.0, 1.0, 2.0], 0.5) - 2.0).abs() < f64::EPSILON);
        assert!((quantile(&[4.0, 1.0], 0.5) - 2.5).abs() < f64::EPSILON);
    }
}
