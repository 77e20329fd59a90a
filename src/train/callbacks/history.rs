//! What each epoch came to, as rows and as CSV.

use std::path::Path;

use crate::error::{Error, Result};
use crate::train::callbacks::monitor::Monitor;
use crate::train::shares::Shares;
use crate::weights::file;

/// One epoch. Epochs count from 0, as in Keras' CSVLogger.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRow {
    pub epoch: usize,
    pub acc: f64,
    pub loss: f64,
    pub lr: f32,
    pub seconds: f64,
    /// Where the time of the training steps went, validation apart.
    pub shares: Shares,
    pub val_acc: Option<f64>,
    pub val_loss: Option<f64>,
    /// MD5 of the parameters that trained, as they were at the epoch's end.
    pub weights: String,
}

impl EpochRow {
    /// The figure that `monitor` compares epochs by.
    pub fn figure(&self, monitor: Monitor) -> f64 {
        match monitor {
            Monitor::ValAcc => self.val_acc.unwrap_or(self.acc),
            Monitor::ValLoss => self.val_loss.unwrap_or(self.loss),
            Monitor::Acc => self.acc,
            Monitor::Loss => self.loss,
        }
    }
}

/// All epochs of a run.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct History {
    pub rows: Vec<EpochRow>,
}

impl History {
    /// The epoch with the best validation accuracy (training accuracy where nothing validates); the first of equals.
    pub fn best(&self) -> Option<&EpochRow> {
        self.best_by(Monitor::ValAcc)
    }

    /// The epoch that `monitor` prefers; the first of equals.
    pub fn best_by(&self, monitor: Monitor) -> Option<&EpochRow> {
        let better = |best: Option<&'_ EpochRow>, row: &EpochRow| {
            monitor.improves(row.figure(monitor), best.map(|best| best.figure(monitor)), 0.0)
        };
        self.rows.iter().fold(None, |best, row| if better(best, row) { Some(row) } else { best })
    }

    /// Writes `epoch,acc,loss,...`, keys sorted and `NA` for what is missing, as Keras' CSVLogger does.
    ///
    /// # Errors
    /// The file cannot be written; an older one then stays.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        file::replace(path, |out| {
            let mut csv = csv::Writer::from_writer(out);
            let or_na = |value: Option<f64>| value.map_or("NA".to_owned(), |v| v.to_string());
            let header = ["epoch", "acc", "loss", "lr", "seconds", "val_acc", "val_loss"];
            let lines = self.rows.iter().map(|row| {
                let r = row;
                let numbers =
                    [r.acc.to_string(), r.loss.to_string(), r.lr.to_string(), r.seconds.to_string()];
                let [acc, loss, lr, seconds] = numbers;
                [r.epoch.to_string(), acc, loss, lr, seconds, or_na(r.val_acc), or_na(r.val_loss)]
            });
            let result = (|| {
                csv.write_record(header)?;
                lines.into_iter().try_for_each(|line| csv.write_record(&line))?;
                csv.flush().map_err(csv::Error::from)
            })();
            result.map_err(|e| Error::io("write", path)(std::io::Error::other(e)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize, val_acc: Option<f64>) -> EpochRow {
        EpochRow { epoch, acc: 0.5, loss: 1.25, lr: 0.1, seconds: 2.0, val_acc, ..EpochRow::default() }
    }

    #[test]
    fn the_best_epoch_is_the_first_of_equals() {
        let rows = [0.5, 0.7, 0.7, 0.6].iter().enumerate().map(|(i, &acc)| row(i, Some(acc)));
        assert_eq!(History { rows: rows.collect() }.best().unwrap().epoch, 1);
    }

    #[test]
    fn csv_is_keras_csv() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        History { rows: vec![row(0, None)] }.write_csv(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "epoch,acc,loss,lr,seconds,val_acc,val_loss\n0,0.5,1.25,0.1,2,NA,NA\n");
    }
}
