//! Loss, accuracy and learning rate over the epochs.

use maud::{Markup, html};

use crate::report::markup::line;
use crate::report::svg::{Axis, Lines, Series};
use crate::train::{EpochRow, History};

/// The history of a run and what happened at which epoch.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    pub history: History,
    /// The best epoch, counted from 0.
    pub best: Option<usize>,
    /// First epochs, counted from 0, of the stages behind the first, with what trains from then on.
    pub stages: Vec<(usize, String)>,
}

type Value = fn(&EpochRow) -> Option<f64>;

pub fn draw(curves: &Curves) -> Markup {
    let rows = &curves.history.rows;
    let Some(first) = rows.first() else { return line("No epoch has ended yet.") };
    let accuracy: [(&str, Value); 2] = [("training", |row| Some(row.acc)), ("validation", |row| row.val_acc)];
    let loss: [(&str, Value); 2] = [("training", |row| Some(row.loss)), ("validation", |row| row.val_loss)];
    let constant = rows.iter().all(|row| row.lr == first.lr);
    html! {
        div.charts {
            (curves.chart(Axis::percent("accuracy"), &accuracy))
            (curves.chart(Axis::number("loss, nats"), &loss))
            @if !constant {
                (curves.chart(Axis::log("learning rate"), &[("", |row| Some(f64::from(row.lr)))]))
            }
        }
        @if constant { (line(&format!("The learning rate was {} throughout.", first.lr))) }
    }
}

impl Curves {
    fn chart(&self, y: Axis, values: &[(&str, Value)]) -> Lines {
        let points = |value: Value| {
            self.history.rows.iter().map(move |row| (place(row.epoch), value(row).unwrap_or(f64::NAN)))
        };
        let series =
            values.iter().enumerate().filter(|(_, (_, value))| points(*value).any(|(_, y)| y.is_finite()));
        let series = series.map(|(i, &(name, value))| Series::line(name, i, points(value).collect()));
        let mut chart = Lines::new(Axis::whole("epoch"), y, series.collect());
        for (first, what) in &self.stages {
            chart = chart.mark(place(*first), what);
        }
        match self.best {
            Some(best) if self.stages.is_empty() => chart.mark(place(best), format!("best, {}", best + 1)),
            _ => chart,
        }
    }
}

/// Epochs count from 1 where people read them.
fn place(epoch: usize) -> f64 {
    epoch as f64 + 1.0
}
