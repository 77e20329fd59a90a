//! A VGG19 of real size in the layout of the official file, made here of random values: it is written and read one
//! tensor at a time. `FROSTLINE_FULL=1` adds the top (574 MB).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use frostline::weights::import::import;
use frostline::weights::keras::{self, Contents};
use frostline::weights::map::{By, Wanted};
use frostline::weights::{self, Format, Outgoing};

mod heap_support;

const CONVOLUTIONS: [(usize, usize); 5] = [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)];

fn vgg19(top: bool) -> Vec<Outgoing> {
    let mut tensors = Vec::new();
    let mut channels = 3;
    for (block, (count, width)) in CONVOLUTIONS.into_iter().enumerate() {
        for number in 1..=count {
            let layer = format!("block{}_conv{number}", block + 1);
            tensors.push(Outgoing::f32(format!("{layer}/kernel"), &[3, 3, channels, width]));
            tensors.push(Outgoing::f32(format!("{layer}/bias"), &[width]));
            channels = width;
        }
    }
    for (layer, inputs, outputs) in [("fc1", 25_088, 4096), ("fc2", 4096, 4096), ("predictions", 4096, 1000)]
    {
        if top {
            tensors.push(Outgoing::f32(format!("{layer}/kernel"), &[inputs, outputs]));
            tensors.push(Outgoing::f32(format!("{layer}/bias"), &[outputs]));
        }
    }
    tensors
}

/// Value `place` of tensor `index`: cheap, repeatable, and different everywhere.
fn value(index: usize, place: usize) -> f32 {
    let mixed = (place as u32).wrapping_mul(2_654_435_761).wrapping_add((index as u32).wrapping_mul(40_503));
    (mixed >> 8) as f32 / (1 << 24) as f32 - 0.5
}

fn write(path: &Path, tensors: &[Outgoing]) {
    let contents = Contents { tensors, config: None, state: None, metadata: &BTreeMap::new() };
    keras::write_legacy(path, &contents, &mut |index| {
        let count = tensors[index].shape.iter().product::<usize>();
        Ok(Cow::Owned((0..count).map(|place| value(index, place)).collect()))
    })
    .unwrap();
}

#[test]
fn a_real_vgg19_streams_in_and_out() {
    let tensors = vgg19(std::env::var_os("FROSTLINE_FULL").is_some());
    let largest = tensors.iter().map(|t| t.shape.iter().product::<usize>() * 4).max().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg19.h5");
    let ((), heap) = heap_support::peak_of(|| write(&path, &tensors));
    assert!(heap <= largest + (64 << 20), "writing took {heap} bytes of heap");

    let wanted: Vec<Wanted> =
        tensors.iter().map(|t| Wanted { name: t.name.clone(), shape: t.shape.clone() }).collect();
    let start = Instant::now();
    let (report, heap) = heap_support::peak_of(|| {
        let mut source = weights::open(&path).unwrap();
        assert_eq!(source.format(), Format::KerasLegacyWeights);
        import(source.as_mut(), &wanted, By::Order, false, |index, values| {
            for place in (0..values.len()).step_by(4099) {
                assert_eq!(values[place], value(index, place), "{}", tensors[index].name);
            }
            Ok(())
        })
        .unwrap()
    });
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = std::fs::metadata(&path).unwrap().len() as f64 / 1e6;
    println!(
        "{} values, {megabytes:.0} MB in {seconds:.2} s ({:.0} MB/s); heap {:.1} MB, largest tensor {:.1} MB",
        report.values(),
        megabytes / seconds,
        heap as f64 / 1e6,
        largest as f64 / 1e6
    );
    assert!(heap <= largest + (64 << 20), "reading took {heap} bytes of heap");
}
