//! Finding a tensor for each parameter, as Keras does; the report; what is said when it cannot be done.

use std::path::Path;

use frostline::error::Result;
use frostline::weights::import::{Report, import};
use frostline::weights::map::{By, Wanted, assign};
use frostline::weights::{self, Source};

const MODEL: &str = "tests/fixtures/keras/mini64_nested/model.h5";

fn wanted_of(source: &dyn Source) -> Vec<Wanted> {
    source.entries().iter().map(|e| Wanted { name: e.name.clone(), shape: e.shape.clone() }).collect()
}

/// What an import handed over: the parameter's index and its values.
type Taken = Vec<(usize, Vec<f32>)>;

fn run(wanted: &[Wanted], by: By, skip: bool) -> Result<(Report, Taken)> {
    let mut source = weights::open(Path::new(MODEL)).unwrap();
    let mut taken = Vec::new();
    let report = import(source.as_mut(), wanted, by, skip, |index, values| {
        taken.push((index, values));
        Ok(())
    })?;
    Ok((report, taken))
}

fn wanted() -> Vec<Wanted> {
    wanted_of(weights::open(Path::new(MODEL)).unwrap().as_ref())
}

#[test]
fn by_order_fills_everything_whatever_the_names() {
    let mut renamed = wanted();
    for w in &mut renamed {
        w.name = format!("my_{}", w.name);
    }
    let (report, taken) = run(&renamed, By::Order, false).unwrap();
    assert_eq!(report.rows.len(), 38);
    assert!(report.skipped.is_empty() && report.unused.is_empty());
    let mut source = weights::open(Path::new(MODEL)).unwrap();
    for (index, values) in &taken {
        assert_eq!(values, &source.read(*index).unwrap());
    }
}

#[test]
fn another_number_of_layers_names_the_first_difference() {
    let base: Vec<Wanted> = wanted().into_iter().take(32).collect();
    let message = run(&base, By::Order, false).unwrap_err().to_string();
    assert!(message.contains("has 19 layers with weights, the model has 16"), "{message}");
    assert!(message.contains("at layer 17: 'dense' in the file, nothing more in the model"), "{message}");
    assert!(message.contains("Load by name"), "{message}");
}

#[test]
fn by_name_takes_what_is_there() {
    let mut model: Vec<Wanted> = wanted().into_iter().take(32).collect();
    model.push(Wanted { name: "new_head/kernel".into(), shape: vec![3, 3] });
    let (report, taken) = run(&model, By::Name, false).unwrap();
    assert_eq!(taken.len(), 32);
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].0, "new_head/kernel");
    assert_eq!(report.unused.len(), 6, "{:?}", report.unused);
}

#[test]
fn no_common_name_is_an_error_not_a_silent_nothing() {
    let model = [Wanted { name: "stem/kernel".into(), shape: vec![1] }];
    let message = run(&model, By::Name, false).unwrap_err().to_string();
    assert!(message.contains("model: stem") && message.contains("load by order"), "{message}");
}

#[test]
fn a_shape_that_differs_is_named_on_both_sides_or_skipped() {
    let mut model = wanted();
    model[36].shape = vec![24, 99];
    let message = run(&model, By::Order, false).unwrap_err().to_string();
    assert!(
        message.contains("'dense_2/kernel' of the file is 24x16, 'dense_2/kernel' of the model is 24x99"),
        "{message}"
    );
    let (report, taken) = run(&model, By::Order, true).unwrap();
    assert_eq!(taken.len(), 36, "the whole layer is skipped, bias included");
    assert_eq!(report.skipped.len(), 2);
    assert_eq!(report.unused.len(), 2);
}

#[test]
fn another_number_of_arrays_in_a_layer_is_an_error() {
    let mut model = wanted();
    model.remove(1);
    let message = run(&model, By::Order, false).unwrap_err().to_string();
    assert!(
        message.contains("'block1_conv1' of the file has 2 arrays, 'block1_conv1' of the model has 1"),
        "{message}"
    );
}

#[test]
fn the_report_says_what_went_where() {
    let (report, _) = run(&wanted(), By::Name, false).unwrap();
    let text = report.to_string();
    assert!(text.contains("model_weights/vgg19/block1_conv1/kernel"), "{text}");
    assert!(text.contains("3x3x3x4"), "{text}");
    assert!(text.ends_with("38 tensors, 83964 values"), "{text}");
    let row = &report.rows[0];
    assert!(row.min < 0.0 && row.max > 0.0 && row.mean.abs() < f64::from(row.max) && row.not_finite == 0);
}

#[test]
fn an_error_of_the_taker_stops_the_import() {
    let mut source = weights::open(Path::new(MODEL)).unwrap();
    let wanted = wanted();
    let mut seen = 0;
    let stopped = import(source.as_mut(), &wanted, By::Order, false, |_, _| {
        seen += 1;
        Err(frostline::error::Error::Device("lost".into()))
    });
    assert!(stopped.is_err());
    assert_eq!(seen, 1);
}

#[test]
fn assignments_tell_the_layout_change() {
    let source = weights::open(Path::new("tests/fixtures/small/torchvision.stored.safetensors")).unwrap();
    let mapping = assign(source.as_ref(), &wanted_of(source.as_ref()), By::Order, false).unwrap();
    assert_eq!(mapping.pairs[0].layout.to_string(), "OIHW -> HWIO");
    assert_eq!(mapping.pairs[6].layout.to_string(), "(out, in) -> (in, out), flatten 6x2x2 -> 2x2x6");
}
