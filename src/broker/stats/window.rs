//! A sum over the last so many steps of time, the running one included.

use std::collections::VecDeque;

/// How long a window is, and in which steps it moves on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    step_ms: i64,
    steps: i64,
}

pub(super) const TEN_SECONDS: Span = Span { step_ms: 1_000, steps: 10 };
pub(super) const MINUTE: Span = Span { step_ms: 10_000, steps: 6 };
pub(super) const TEN_MINUTES: Span = Span { step_ms: 60_000, steps: 10 };
pub(super) const HOUR: Span = Span { step_ms: 600_000, steps: 6 };
pub(super) const DAY: Span = Span { step_ms: 3_600_000, steps: 24 };

/// What was counted in each step that anything was counted in, oldest first; of those that are too old at most one lap.
#[derive(Debug)]
pub(super) struct Window {
    span: Span,
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    number: i64,
    sum: u64,
    times: u64,
}

/// What a window says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) sum: u64,
    pub(super) times: u64,
    elapsed_ms: i64,
}

impl Counted {
    pub(super) fn per_second(self) -> f64 {
        self.sum as f64 * 1_000.0 / self.elapsed_ms.max(1) as f64
    }
}

impl Window {
    pub(super) fn of(span: Span) -> Self {
        Self { span, steps: VecDeque::new() }
    }

    pub(super) fn add(&mut self, sum: u64, times: u64, now_ms: i64) {
        let number = now_ms.div_euclid(self.span.step_ms);
        match self.steps.back_mut() {
            // A clock that was set back counts into the newest step.
            Some(step) if step.number >= number => {
                step.sum += sum;
                step.times += times;
            }
            _ => {
                let oldest = number - self.span.steps;
                while self.steps.front().is_some_and(|step| step.number < oldest) {
                    self.steps.pop_front();
                }
                self.steps.push_back(Step { number, sum, times });
            }
        }
    }

    /// When the newest step began.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.steps.back().map(|step| step.number * self.span.step_ms)
    }

    /// What was counted since the window began, which for a counter that is younger was one step before its first count:
    /// as in Java, the first count is not divided by nothing.
    pub(super) fn counted(&self, since_ms: i64, now_ms: i64) -> Counted {
        let Span { step_ms, steps } = self.span;
        let oldest = now_ms.div_euclid(step_ms) - steps;
        let began_ms = (oldest * step_ms).max(since_ms - step_ms);
        let none = Counted { sum: 0, times: 0, elapsed_ms: now_ms - began_ms };
        self.steps.iter().filter(|step| step.number >= oldest).fold(none, |counted, step| Counted {
            sum: counted.sum + step.sum,
            times: counted.times + step.times,
            ..counted
        })
    }
}
