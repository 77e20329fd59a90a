//! How pixels become the numbers that a pretrained network was trained on.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, unknown};

/// The four conventions of pretrained image networks.
///
/// Each is plain data: output channel `c` is `x[source()[c]] * scale()[c] + offset()[c]`, where x is an RGB
/// pixel of 0 to 255. Source: keras `applications/imagenet_utils.py`, `preprocess_input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preprocessing {
    /// BGR, ImageNet mean subtracted, not scaled: VGG and ResNet50 of Keras.
    Caffe,
    /// RGB scaled to -1..1: Inception, MobileNet, Xception of Keras.
    Tf,
    /// RGB scaled to 0..1, then ImageNet mean and deviation: torchvision's models, DenseNet of Keras.
    Torch,
    /// RGB scaled to 0..1: networks trained from scratch, and the commonest mistake with VGG.
    Rescale,
}

const TORCH_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const TORCH_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

impl Preprocessing {
    pub const ALL: [Preprocessing; 4] = [Self::Caffe, Self::Tf, Self::Torch, Self::Rescale];

    /// The name on the command line and in checkpoints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caffe => "caffe",
            Self::Tf => "tf",
            Self::Torch => "torch",
            Self::Rescale => "rescale",
        }
    }

    /// One line for people, as in a warning that another one was expected.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Caffe => "BGR minus the ImageNet mean, not scaled",
            Self::Tf => "RGB scaled to -1..1",
            Self::Torch => "RGB scaled to 0..1, minus the ImageNet mean, divided by its deviation",
            Self::Rescale => "RGB scaled to 0..1",
        }
    }

    /// Which RGB channel each output channel reads: `[2, 1, 0]` is BGR.
    pub fn source(self) -> [usize; 3] {
        match self {
            Self::Caffe => [2, 1, 0],
            Self::Tf | Self::Torch | Self::Rescale => [0, 1, 2],
        }
    }

    /// Factor per output channel.
    pub fn scale(self) -> [f32; 3] {
        match self {
            Self::Caffe => [1.0; 3],
            Self::Tf => [1.0 / 127.5; 3],
            Self::Torch => TORCH_DEVIATION.map(|deviation| 1.0 / (255.0 * deviation)),
            Self::Rescale => [1.0 / 255.0; 3],
        }
    }

    /// Added per output channel after the factor.
    pub fn offset(self) -> [f32; 3] {
        match self {
            Self::Caffe => [-103.939, -116.779, -123.68],
            Self::Tf => [-1.0; 3],
            Self::Torch => std::array::from_fn(|c| -TORCH_MEAN[c] / TORCH_DEVIATION[c]),
            Self::Rescale => [0.0; 3],
        }
    }

    /// One RGB pixel through the formula above: the reference of the kernel.
    pub fn apply(self, rgb: [u8; 3]) -> [f32; 3] {
        let (source, scale, offset) = (self.source(), self.scale(), self.offset());
        std::array::from_fn(|c| f32::from(rgb[source[c]]) * scale[c] + offset[c])
    }
}

impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preprocessing {
    type Err = Error;

    /// # Errors
    /// An unknown name; the message suggests the nearest.
    fn from_str(name: &str) -> Result<Self, Error> {
        let known = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|p| p.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| unknown("preprocessing", name, &known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: [f32; 3], want: [f32; 3]) {
        for c in 0..3 {
            assert!((got[c] - want[c]).abs() < 1e-5, "{got:?} is not {want:?}");
        }
    }

    /// The RGB pixel (10, 100, 250) by the formulas of keras `preprocess_input`, worked out in numpy.
    #[test]
    fn agrees_with_keras() {
        let pixel = [10, 100, 250];
        close(Preprocessing::Caffe.apply(pixel), [146.061, -16.779, -113.68]);
        close(Preprocessing::Tf.apply(pixel), [-0.921_568_6, -0.215_686_3, 0.960_784_3]);
        close(Preprocessing::Torch.apply(pixel), [-1.946_656_4, -0.285_014, 2.552_854]);
        close(Preprocessing::Rescale.apply(pixel), [0.039_215_7, 0.392_156_9, 0.980_392_2]);
    }

    #[test]
    fn names_round_trip_and_typos_are_answered() {
        for p in Preprocessing::ALL {
            assert_eq!(p.to_string().parse::<Preprocessing>().unwrap(), p);
        }
        let message = "cafe".parse::<Preprocessing>().unwrap_err().to_string();
        assert!(message.contains("did you mean 'caffe'"), "{message}");
    }
}
