//! The picture of a profile: a step, its phases, their layers, and the kernels of those.

use super::svg::{Flame, Ink};
use crate::ops::Part;
use crate::study::profile::{Dispatch, PARTS, Profile};

/// A flame of one step: forward from the first layer to the last, then the gradients of each layer back to the first,
/// then the updates.
pub fn flame(profile: &Profile) -> Flame {
    let phases = PARTS.map(|part| phase(profile, part));
    let phases = phases.into_iter().filter(|phase| phase.value > 0.0).collect();
    measured(whole(profile, "step".to_owned(), Ink::Quiet, phases))
}

fn phase(profile: &Profile, part: Part) -> Flame {
    let layers = profile.layers.iter().map(|layer| layer_of(profile, &layer.name, part));
    let mut layers: Vec<Flame> = layers.filter(|layer| layer.value > 0.0).collect();
    if part != Part::Forward {
        layers.reverse();
    }
    measured(whole(profile, part.name().to_owned(), ink(part), layers))
}

/// With its time in its name.
fn measured(flame: Flame) -> Flame {
    Flame { name: format!("{} {:.0} ms", flame.name, flame.value), ..flame }
}

fn layer_of(profile: &Profile, layer: &str, part: Part) -> Flame {
    let mut kernels: Vec<Flame> = Vec::new();
    let own = |dispatch: &&Dispatch| dispatch.layer == layer && dispatch.part == part;
    for dispatch in profile.dispatches.iter().filter(own) {
        let name = dispatch.kernel.split('[').next().unwrap_or_default();
        let ms = profile.ms(dispatch.seconds);
        match kernels.iter_mut().find(|kernel| kernel.name == name) {
            Some(kernel) => kernel.value += ms,
            None => kernels.push(Flame {
                name: name.to_owned(),
                value: ms,
                words: String::new(),
                ink: ink(part),
                parts: Vec::new(),
            }),
        }
    }
    for kernel in &mut kernels {
        kernel.words = format!("{layer} {}: {} {:.2} ms", part.name(), kernel.name, kernel.value);
    }
    let mut flame = whole(profile, layer.to_owned(), ink(part), kernels);
    let spent = profile.layers.iter().find(|known| known.name == layer).map(|l| l.parts[part as usize]);
    if let Some(percent) = spent.and_then(|spent| spent.percent(&profile.roofline)) {
        flame.words = format!("{} {}, {percent:.0} % of the roofline", part.name(), flame.words);
    }
    flame
}

/// The sum of `parts`.
fn whole(profile: &Profile, name: String, ink: Ink, parts: Vec<Flame>) -> Flame {
    let value = parts.iter().map(|part| part.value).sum();
    let all: f64 = profile.layers.iter().map(|layer| profile.ms(layer.seconds())).sum();
    let words = format!("{name} {value:.2} ms, {:.1} %", 100.0 * value / all.max(f64::MIN_POSITIVE));
    Flame { name, value, words, ink, parts }
}

fn ink(part: Part) -> Ink {
    Ink::Number(part as usize)
}
