//! A base of one's own: convolutions and poolings as a line of text, for networks that no table here knows.

use crate::error::{Error, Result};
use crate::nn::architecture::{Layer, LayerKind};
use crate::ops::BatchNorm;
use crate::ops::conv2d::Padding;

/// The layers of a chain such as `conv16,conv16,pool,conv32x5,pool`: `convN` is a convolution with N filters of 3x3 (or of
/// KxK in `convNxK`) and ReLU, its borders padded; `bn` normalises its batches, ahead of that ReLU; `pool` halves. Names
/// are VGG's: `block1_conv1`, `block1_bn1`, `block1_pool`.
///
/// # Errors
/// Text that is no chain.
pub fn base(chain: &str) -> Result<Vec<Layer>> {
    let (mut block, mut conv, mut layers) = (1, 0, Vec::new());
    for word in chain.split(',').map(str::trim) {
        match word {
            "pool" => {
                let kind = LayerKind::MaxPool2d { window: [2; 2], stride: [2; 2], padding: Padding::Valid };
                layers.push(Layer::new(format!("block{block}_pool"), kind));
                (block, conv) = (block + 1, 0);
            }
            "bn" => {
                let kind = normalisation(layers.last_mut())?;
                layers.push(Layer::new(format!("block{block}_bn{conv}"), kind));
            }
            _ => {
                conv += 1;
                layers.push(Layer::new(format!("block{block}_conv{conv}"), convolution(word)?));
            }
        }
    }
    Ok(layers)
}

/// Takes over the ReLU of the convolution before it.
fn normalisation(before: Option<&mut Layer>) -> Result<LayerKind> {
    let Some(Layer { kind: LayerKind::Conv2d { relu, .. }, .. }) = before else {
        return Err(Error::Usage(
            "layer 'bn': expected a convolution before it, as in conv16,bn,pool".into(),
        ));
    };
    *relu = false;
    let BatchNorm { momentum, epsilon, .. } = BatchNorm::default();
    Ok(LayerKind::BatchNorm { momentum, epsilon, relu: true })
}

fn convolution(word: &str) -> Result<LayerKind> {
    let numbers = word.strip_prefix("conv").map(|rest| rest.split_once('x').unwrap_or((rest, "3")));
    let read = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let (Some(filters), Some(side)) =
        (numbers.and_then(|(filters, _)| read(filters)), numbers.and_then(|(_, side)| read(side)))
    else {
        return Err(Error::Usage(format!(
            "layer '{word}': expected convFILTERS, convFILTERSxSIDE, bn or pool, as in conv16,conv16,pool,conv32x5,pool"
        )));
    };
    let (kernel, stride) = ([side; 2], [1; 2]);
    Ok(LayerKind::Conv2d { filters, kernel, stride, padding: Padding::Same, bias: true, relu: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_layers_with_names() {
        let layers = base("conv16, conv8x5,pool,conv32,pool").unwrap();
        let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["block1_conv1", "block1_conv2", "block1_pool", "block2_conv1", "block2_pool"]);
        assert!(matches!(layers[1].kind, LayerKind::Conv2d { filters: 8, kernel: [5, 5], .. }));
    }

    #[test]
    fn normalisation_takes_the_relu_of_its_convolution() {
        let layers = base("conv8,bn,conv8,bn,pool").unwrap();
        let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["block1_conv1", "block1_bn1", "block1_conv2", "block1_bn2", "block1_pool"]);
        let relus: Vec<bool> = layers.iter().map(Layer::is_rectified).collect();
        assert_eq!(relus, [false, true, false, true, false]);
        for chain in ["bn", "conv8,pool,bn", "conv8,bn,bn"] {
            assert!(base(chain).unwrap_err().to_string().contains("layer 'bn'"), "{chain}");
        }
    }

    #[test]
    fn what_is_no_layer_is_named() {
        for word in ["", "conv", "conv0", "convx3", "dense5", "conv8x0"] {
            let message = base(&format!("conv8,{word}")).unwrap_err().to_string();
            assert!(message.contains(&format!("layer '{word}'")), "{message}");
        }
    }
}
