//! A folder of images as a data set: which folders are classes, and which images validate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::duplicates;
use super::index::{EXPECTED, Indexed, class_folders};
use super::order;
use super::split::{Builder, Split};
use super::walk::Notes;
use crate::error::{Error, Result};

/// How a folder is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Share of each class that validates where the folder has no `val`; 0 up to, not including, 1.
    pub val_fraction: f64,
    /// Chooses which images those are.
    pub seed: u64,
    /// Makes an error of what is otherwise a warning about files that cannot be read.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { val_fraction: 0.2, seed: 0, strict: false }
    }
}

/// Labelled images, apart for training and validation.
#[derive(Clone)]
pub struct Dataset {
    /// Class names in the order of their ids: sorted, as in Keras.
    pub classes: Vec<String>,
    pub train: Split,
    /// Empty where `val_fraction` is 0.
    pub val: Split,
    /// What the owner should know and may ignore, one line each.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// At most `limit` images of each split, one of each class in turn.
    pub fn limited(self, limit: Option<usize>) -> Dataset {
        match limit {
            None => self,
            Some(limit) => Dataset { train: self.train.limited(limit), val: self.val.limited(limit), ..self },
        }
    }

    /// Opens `DATA/train/<class>/*` with `DATA/val/<class>/*` (or `valid`, `validation`), or `DATA/<class>/*`
    /// with a seeded stratified split: of a class of n images `round(n * val_fraction)` validate, at least one
    /// and never all of two or more. A `train` folder alone is split likewise.
    ///
    /// Folders below a class folder belong to the class. A folder without images is no class. Images whose bytes
    /// are on both sides are warned about.
    ///
    /// # Errors
    /// No such folder; no images; one class; class sets that differ between train and val; a fraction outside
    /// 0..1; under `strict` anything that cannot be listed.
    /// Source of the order: keras `image_dataset_utils.py`, `index_directory`.
    pub fn open(root: &Path, options: &Options) -> Result<Dataset> {
        check_fraction(options.val_fraction)?;
        check_is_folder(root)?;
        let train = root.join("train");
        let mut dataset = match (class_folders(&train), validation_folder(root)) {
            (Ok(folders), Some(val)) if !folders.is_empty() => open_pair(&train, &val, options)?,
            (Ok(folders), None) if !folders.is_empty() => open_and_divide(&train, options)?,
            _ => open_and_divide(root, options)?,
        };
        dataset.warnings.extend(duplicates::warnings(&dataset.train, &dataset.val));
        dataset.warnings.sort_unstable();
        dataset.warnings.dedup();
        Ok(dataset)
    }
}

impl Split {
    /// `folder/<class>/*` with ids from `classes`, as for evaluating a checkpoint that knows its classes.
    /// Classes without a folder are allowed.
    ///
    /// # Errors
    /// A class folder that is not in `classes`; no images.
    pub fn open_labelled(folder: &Path, classes: &[String]) -> Result<Split> {
        check_is_folder(folder)?;
        let found = Indexed::read(folder)?;
        let strangers: Vec<&String> = found.classes.iter().filter(|c| !classes.contains(c)).collect();
        if !strangers.is_empty() {
            let (strangers, known) = (quoted(strangers), quoted(classes));
            return Err(Error::data(
                folder,
                format!("unknown classes {strangers}; the model knows {known}: name the folders so"),
            ));
        }
        found.require_images(folder)?;
        let id_of = |name: &String| classes.iter().position(|c| c == name).unwrap_or_default() as u32;
        let ids: Vec<u32> = found.classes.iter().map(id_of).collect();
        let relabelled = found.samples.samples().map(|s| (s.path, ids[s.class as usize]));
        Ok(Split::from_samples(relabelled))
    }
}

/// Names of the class folders in `folder`, sorted: the order of ids that Keras' `flow_from_directory` gives them.
///
/// # Errors
/// No such folder.
pub fn class_names(folder: &Path) -> Result<Vec<String>> {
    check_is_folder(folder)?;
    Ok(Indexed::read(folder)?.classes)
}

fn check_fraction(fraction: f64) -> Result<()> {
    if (0.0..1.0).contains(&fraction) {
        return Ok(());
    }
    let what =
        "is the share of images that validate: give a number from 0 up to, not including, 1, such as 0.2";
    Err(Error::Usage(format!("--val-fraction {fraction} {what}")))
}

fn check_is_folder(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(Error::io("open the data folder", path))?;
    match metadata.is_dir() {
        true => Ok(()),
        false => Err(Error::data(path, format!("is a file; {EXPECTED}"))),
    }
}

fn validation_folder(root: &Path) -> Option<PathBuf> {
    let candidates = ["val", "valid", "validation"].map(|name| root.join(name));
    candidates.into_iter().find(|path| path.is_dir())
}

fn open_pair(train: &Path, val: &Path, options: &Options) -> Result<Dataset> {
    let in_train = Indexed::read(train)?;
    in_train.require_two_classes(train)?;
    let in_val = Indexed::read(val)?;
    in_val.require_images(val)?;
    check_same_classes(&in_train, &in_val, train, val)?;
    let mut notes = in_train.notes;
    notes.absorb(in_val.notes);
    refuse_if_strict(&notes, train, options)?;
    Ok(Dataset {
        classes: in_train.classes,
        train: in_train.samples,
        val: in_val.samples,
        warnings: notes.warnings(),
    })
}

fn check_same_classes(in_train: &Indexed, in_val: &Indexed, train: &Path, val: &Path) -> Result<()> {
    let (a, b): (BTreeSet<_>, BTreeSet<_>) =
        (in_train.classes.iter().collect(), in_val.classes.iter().collect());
    if a == b {
        return Ok(());
    }
    let only = |side: &Path, names: BTreeSet<&String>| match names.is_empty() {
        true => String::new(),
        false => format!("only {} has images of {}; ", side.display(), quoted(names)),
    };
    let (left, right) = (&a - &b, &b - &a);
    let what = format!(
        "the classes differ: {}{}give both the same class folders",
        only(train, left),
        only(val, right)
    );
    Err(Error::data(train.parent().unwrap_or(train), what))
}

/// `'a', 'b', 'c' and 7 more`
fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = names.into_iter().map(|n| format!("'{n}'")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

fn refuse_if_strict(notes: &Notes, folder: &Path, options: &Options) -> Result<()> {
    match notes.warnings().first() {
        Some(first) if options.strict => {
            Err(Error::data(folder, format!("{first} (refused because of --strict)")))
        }
        _ => Ok(()),
    }
}

fn open_and_divide(folder: &Path, options: &Options) -> Result<Dataset> {
    let indexed = Indexed::read(folder)?;
    indexed.require_two_classes(folder)?;
    refuse_if_strict(&indexed.notes, folder, options)?;
    let mut warnings = indexed.notes.warnings();
    let (train, val) = divide(&indexed, options, &mut warnings);
    Ok(Dataset { classes: indexed.classes, train, val, warnings })
}

fn divide(indexed: &Indexed, options: &Options, warnings: &mut Vec<String>) -> (Split, Split) {
    let (mut train, mut val) = (Builder::default(), Builder::default());
    let mut start = 0;
    for (class, count) in indexed.samples.class_counts(indexed.classes.len()).into_iter().enumerate() {
        let validates = validating(count, class, options);
        if count == 1 && options.val_fraction > 0.0 {
            warnings.push(format!(
                "class '{}' has a single image: it trains, nothing validates it",
                indexed.classes[class]
            ));
        }
        for (i, validates) in validates.into_iter().enumerate() {
            let side = if validates { &mut val } else { &mut train };
            side.push_path(&indexed.samples.path(start + i), class as u32);
        }
        start += count;
    }
    (train.finish(), val.finish())
}

/// For each of a class's `count` images whether it validates.
fn validating(count: usize, class: usize, options: &Options) -> Vec<bool> {
    let wanted = match options.val_fraction {
        0.0 => 0,
        fraction => ((count as f64 * fraction).round() as usize).clamp(1, count.max(2) - 1),
    };
    let mut validates = vec![false; count];
    if count > 1 {
        let chosen = order::split(count as u32, options.seed, class as u64);
        chosen.iter().take(wanted).for_each(|&i| validates[i as usize] = true);
    }
    validates
}
