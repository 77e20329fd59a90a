//! Axes: which range they show, where their ticks stand, and how numbers are written.

/// One direction of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    kind: Kind,
    /// The range to show, where the data shall not choose it.
    range: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    /// Counts things: no tick between two whole numbers.
    Whole,
    /// 0 to 1, written as 0 % to 100 %.
    Percent,
    Log,
}

/// Most ticks that an axis shows.
const TICKS: f64 = 5.0;

impl Axis {
    pub fn number(label: impl Into<String>) -> Axis {
        Axis { label: label.into(), kind: Kind::Number, range: None }
    }

    /// For counts, such as epochs.
    pub fn whole(label: impl Into<String>) -> Axis {
        Axis { kind: Kind::Whole, ..Axis::number(label) }
    }

    /// For shares from 0 to 1, which are written as percentages.
    pub fn percent(label: impl Into<String>) -> Axis {
        Axis { kind: Kind::Percent, ..Axis::number(label) }
    }

    /// Logarithmic; values that are not positive have no place on it.
    pub fn log(label: impl Into<String>) -> Axis {
        Axis { kind: Kind::Log, ..Axis::number(label) }
    }

    /// Shows `low` to `high` whatever the data say.
    pub fn between(self, low: f64, high: f64) -> Axis {
        Axis { range: Some((low, high)), ..self }
    }

    /// The scale that shows `values` between the positions `from` and `to`.
    pub(super) fn scale(&self, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let log = self.kind == Kind::Log;
        let seen = values.filter(|v| v.is_finite() && (!log || *v > 0.0)).fold(None, |range, v| {
            let (low, high) = range.unwrap_or((v, v));
            Some((f64::min(low, v), f64::max(high, v)))
        });
        let (low, high) = self.range.or(seen).unwrap_or(if log { (1.0, 10.0) } else { (0.0, 1.0) });
        let (range, ticks) = match self.kind {
            Kind::Log => log_ticks(low, high),
            kind => linear_ticks(low, high, kind, self.range.is_some()),
        };
        let ticks = ticks.into_iter().map(|tick| (tick, self.written(tick))).collect();
        Scale { log, range, from, to, ticks }
    }

    fn written(&self, value: f64) -> String {
        match self.kind {
            Kind::Percent => format!("{} %", short(100.0 * value)),
            _ => short(value),
        }
    }
}

/// From values to positions.
pub(super) struct Scale {
    log: bool,
    range: (f64, f64),
    from: f64,
    to: f64,
    /// Where ticks stand, and their words.
    pub ticks: Vec<(f64, String)>,
}

impl Scale {
    /// The position of `value`, or nothing where it has none: not a number, or not positive on a logarithmic axis.
    pub fn place(&self, value: f64) -> Option<f64> {
        let along = |v: f64| if self.log { v.log10() } else { v };
        let (low, high) = (along(self.range.0), along(self.range.1));
        let share = (along(value) - low) / (high - low);
        share.is_finite().then(|| self.from + share.clamp(0.0, 1.0) * (self.to - self.from))
    }
}

/// Ticks at 1, 2 or 5 times a power of ten, and the range widened to whole ticks unless it is `fixed`.
fn linear_ticks(low: f64, high: f64, kind: Kind, fixed: bool) -> ((f64, f64), Vec<f64>) {
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
    let rough = (high - low) / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = nice.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(nice[3]);
    let step = if kind == Kind::Whole { step.max(1.0).round() } else { step };
    // Epochs begin where they begin; a loss axis ends at round numbers.
    let range = match fixed || kind == Kind::Whole {
        true => (low, high),
        false => ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step),
    };
    let first = (range.0 / step - 1e-9).ceil() as i64;
    let last = (range.1 / step + 1e-9).floor() as i64;
    (range, (first..=last).map(|i| i as f64 * step).collect())
}

/// Ticks at powers of ten, at most [`TICKS`] or so; at 1, 2 and 5 times them where the range is short.
fn log_ticks(low: f64, high: f64) -> ((f64, f64), Vec<f64>) {
    let (low, high) = if high > low { (low, high) } else { (low / 2.0, high * 2.0) };
    let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let every = ((high / low).log10() / TICKS).ceil().max(1.0) as usize;
    let fine: &[f64] = if high / low < 101.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = decades.step_by(every).map(|power| 10f64.powi(power));
    let ticks = powers.flat_map(|power| fine.iter().map(move |f| f * power));
    ((low, high), ticks.filter(|tick| (low * 0.999..=high * 1.001).contains(tick)).collect())
}

/// A number as short as its size allows: `0.05`, `12`, `3,000`, `1e-5`.
fn short(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:e}").split_once('e').map_or_else(String::new, |(digits, power)| {
            let digits: f64 = digits.parse().unwrap_or(1.0);
            format!("{}e{power}", super::number(digits))
        });
    }
    let written = format!("{value:.4}");
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(axis: &Axis, values: [f64; 2]) -> Vec<String> {
        axis.scale(values.into_iter(), 0.0, 100.0).ticks.into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(words(&Axis::number("loss"), [0.13, 2.31]), ["0", "0.5", "1", "1.5", "2", "2.5"]);
        assert_eq!(words(&Axis::number("lr"), [0.0, 0.003]), ["0", "0.001", "0.002", "0.003"]);
        assert_eq!(
            words(&Axis::percent("accuracy"), [0.4, 0.81]),
            ["40 %", "50 %", "60 %", "70 %", "80 %", "90 %"]
        );
        assert_eq!(words(&Axis::number("steps"), [0.0, 2.5e7]), ["0", "5e6", "1e7", "1.5e7", "2e7", "2.5e7"]);
    }

    #[test]
    fn counts_have_no_ticks_between() {
        assert_eq!(words(&Axis::whole("epoch"), [1.0, 3.0]), ["1", "2", "3"]);
        assert_eq!(words(&Axis::whole("epoch"), [1.0, 100.0]), ["20", "40", "60", "80", "100"]);
    }

    #[test]
    fn logarithmic_axes_show_powers_of_ten() {
        assert_eq!(words(&Axis::log("rate"), [1e-6, 1.0]), ["1e-6", "1e-4", "0.01", "1"]);
        assert_eq!(words(&Axis::log("rate"), [0.9, 20.0]), ["1", "2", "5", "10", "20"]);
    }

    #[test]
    fn what_is_no_number_has_no_place() {
        let scale = Axis::log("rate").scale([1.0, f64::NAN, 100.0, 0.0].into_iter(), 0.0, 10.0);
        assert_eq!((scale.place(10.0), scale.place(0.0), scale.place(f64::NAN)), (Some(5.0), None, None));
    }

    #[test]
    fn a_single_value_and_no_value_have_axes_too() {
        for axis in [Axis::number("x"), Axis::whole("x"), Axis::percent("x"), Axis::log("x")] {
            for values in [&[3.0][..], &[]] {
                let scale = axis.scale(values.iter().copied(), 0.0, 10.0);
                assert!(!scale.ticks.is_empty(), "{axis:?} {values:?}");
                assert!(values.iter().all(|v| scale.place(*v).is_some()));
            }
        }
    }
}
