//! `frostline show`: pictures of what a network has learnt and of what it looks at.

mod what;

use std::path::{Path, PathBuf};

use super::options::subject::{Subject, SubjectArgs};
use super::shared::{Shared, save};
use crate::error::{Error, Result};
use crate::nn::Freeze;
use crate::report::sheet::{self, Tile};
use crate::report::svg::{Bar, Bars, standalone};
use crate::study::show::{self, Captioned, Dream, Method, Unit};
use crate::train::Checkpoint;
use crate::weights::import::import;
use crate::weights::map::{By, Wanted};

pub use what::What;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline show gradcam examples/clipart8/val/bird/*.jpg --from runs/clipart/best.safetensors --out look.png"
)]
pub struct Args {
    #[command(subcommand)]
    pub what: What,
}

/// Images of one pass where every layer's results are kept.
const BATCH: usize = 8;
/// Classes of a head that nobody looks at.
const ANY: usize = 2;

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let open = |subject: &SubjectArgs| subject.open(shared, &Freeze::All, ANY);
    match &args.what {
        What::Filters { subject, out } => {
            let subject = open(subject)?;
            write(&show::filters(&subject.network, &subject.store)?, out, shared)
        }
        What::Activations { image, layer, count, subject, out } => {
            let mut s = open(subject)?;
            let pixels = s.image(image)?;
            write(&show::activations(&s.network, &mut s.store, &pixels, layer, *count)?, out, shared)
        }
        What::Gradcam { images, layer, class, plus_plus, subject, out } => {
            let method = if *plus_plus { Method::GradCamPlusPlus } else { Method::GradCam };
            let look = |s: &mut Subject, pixels: &[u8], class| {
                show::gradcam(&s.network, &mut s.store, pixels, layer.as_deref(), class, method)
            };
            looks(&mut open(subject)?, images, class.as_deref(), look, out, shared)
        }
        What::Saliency { images, class, subject, out } => {
            let look = |s: &mut Subject, pixels: &[u8], class| {
                show::saliency(&s.network, &mut s.store, pixels, class)
            };
            looks(&mut open(subject)?, images, class.as_deref(), look, out, shared)
        }
        What::Dream { layer, channel, steps, subject, out } => {
            let mut s = open(subject)?;
            let dream = |&channel: &usize| {
                let dream = Dream { layer: layer.clone(), channel, steps: *steps, rate: 6.0, seed: 0 };
                show::dream(&s.network, &mut s.store, &dream)
            };
            write(&channel.iter().map(dream).collect::<Result<Vec<_>>>()?, out, shared)
        }
        What::Drift { a, b, out } => drift(a, b, out.as_deref(), shared),
        What::Similarity { a, b, images, count, out } => {
            let (mut a, mut b) = (open(&SubjectArgs::checkpoint(a))?, open(&SubjectArgs::checkpoint(b))?);
            let same = a.network.architecture.layers == b.network.architecture.layers;
            if !same || a.network.architecture.input != b.network.architecture.input {
                return Err(Error::Usage("the two checkpoints have different architectures".into()));
            }
            let samples = a.samples(images, *count, BATCH)?;
            let found = show::similarity((&a.network, &mut a.store, &mut b.store), &samples, BATCH)?;
            let title = "linear CKA of each layer's results";
            chart(&found, title, |value| format!("{value:.3}"), out.as_deref(), shared)
        }
        What::Dead { images, count, subject, out } => {
            let mut s = open(subject)?;
            let samples = s.samples(images, *count, BATCH)?;
            let found = show::dead(&s.network, &mut s.store, &samples, BATCH)?;
            chart(
                &found,
                "units that never fire",
                |value| format!("{:.1} %", 100.0 * value),
                out.as_deref(),
                shared,
            )
        }
    }
}

/// For each image the image itself and where the network looks.
fn looks(
    subject: &mut Subject,
    images: &[PathBuf],
    class: Option<&str>,
    look: impl Fn(&mut Subject, &[u8], Option<usize>) -> Result<show::Attention>,
    out: &Path,
    shared: &Shared,
) -> Result<()> {
    let class = subject.class(class)?;
    let mut tiles = Vec::new();
    for path in images {
        let pixels = subject.image(path)?;
        let found = look(subject, &pixels, class)?;
        let side = subject.network.architecture.input[0] as u32;
        let photograph = image::RgbImage::from_raw(side, side, pixels).expect("decoded at this size");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let words = format!("{} {:.1}", subject.classes[found.class], found.logit);
        tiles.push(Captioned { image: photograph, caption: [name, String::new()] });
        tiles.push(Captioned { image: found.overlay, caption: [words, String::new()] });
    }
    write(&tiles, out, shared)
}

/// Columns of a sheet: even, so that an image stands beside what was made of it.
const COLUMNS: u32 = 8;

fn write(pictures: &[Captioned], out: &Path, shared: &Shared) -> Result<()> {
    let side = pictures.first().map_or(1, |picture| picture.image.width().max(picture.image.height()));
    let tile = |picture: &Captioned| {
        let mut square = image::RgbImage::from_pixel(side, side, sheet::PAPER);
        image::imageops::replace(&mut square, &picture.image, 0, 0);
        Tile { pixels: square.into_raw(), caption: picture.caption.clone(), good: None }
    };
    let tiles: Vec<Tile> = pictures.iter().map(tile).collect();
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    }
    sheet::save_png(&sheet::draw(&tiles, side, COLUMNS.min(tiles.len() as u32)), out)?;
    shared.say(format_args!("written   {}", out.display()));
    Ok(())
}

fn chart(
    rows: &[Unit],
    title: &str,
    words: impl Fn(f64) -> String,
    out: Option<&Path>,
    shared: &Shared,
) -> Result<()> {
    let width = rows.iter().map(|row| row.layer.len()).max().unwrap_or(0);
    rows.iter().for_each(|r| println!("{:width$}  {:>5} units  {}", r.layer, r.units, words(r.value)));
    let bars = rows.iter().map(|row| Bar::new(&row.layer, vec![row.value], words(row.value)));
    draw(bars.collect(), title, Some(1.0), out, shared)
}

fn draw(bars: Vec<Bar>, title: &str, whole: Option<f64>, out: Option<&Path>, shared: &Shared) -> Result<()> {
    let Some(out) = out else { return Ok(()) };
    let chart = Bars { parts: Vec::new(), bars, unit: title.to_owned(), whole };
    save(out, &standalone(title, &chart))?;
    shared.say(format_args!("written   {}", out.display()));
    Ok(())
}

fn drift(a: &Path, b: &Path, out: Option<&Path>, shared: &Shared) -> Result<()> {
    let rows = show::drift(&tensors(a)?, &tensors(b)?)?;
    let width = rows.iter().map(|row| row.parameter.len()).max().unwrap_or(0);
    println!("{:width$}  {:>12}  {:>10}", "parameter", "|b - a|/|a|", "cosine");
    for row in &rows {
        println!("{:width$}  {:>12.5}  {:>10.6}", row.parameter, row.relative, row.cosine);
    }
    let kernels = rows.iter().filter(|row| row.parameter.ends_with("/kernel") && row.relative.is_finite());
    let bars = kernels.map(|row| {
        let layer = row.parameter.trim_end_matches("/kernel");
        Bar::new(layer, vec![row.relative], format!("{:.2} %", 100.0 * row.relative))
    });
    draw(bars.collect(), "relative change of each layer's kernel", None, out, shared)
}

/// A checkpoint's parameters in host memory.
fn tensors(path: &Path) -> Result<Vec<(String, Vec<f32>)>> {
    let (checkpoint, mut source) = Checkpoint::open(path)?;
    let params = checkpoint.network()?.graph.params;
    let wanted = params.iter().map(|p| Wanted { name: p.name.clone(), shape: p.spec.shape.dims().to_vec() });
    let wanted: Vec<Wanted> = wanted.collect();
    let mut all: Vec<(String, Vec<f32>)> = wanted.iter().map(|w| (w.name.clone(), Vec::new())).collect();
    import(&mut *source, &wanted, By::Order, false, |index, values| {
        all[index].1 = values;
        Ok(())
    })?;
    Ok(all)
}
