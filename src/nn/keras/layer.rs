//! One Keras layer as a layer of this house, or the reason why there is none.

use serde_json::Value;

use super::chain::Link;
use crate::nn::architecture::LayerKind;
use crate::ops::BatchNorm;
use crate::ops::conv2d::Padding;

/// What a Keras layer becomes.
pub(super) struct Found {
    pub part: Part,
    /// Its output goes through softmax, which the loss does here.
    pub softmax: bool,
}

pub(super) enum Part {
    Layer(LayerKind),
    /// Joins the layer before it.
    Relu,
    Nothing,
}

/// `vector`: the layer takes a vector and no map.
///
/// # Errors
/// The class, the activation or the option that does not exist here, with the layer's name.
pub(super) fn read(link: &Link, vector: bool) -> Result<Found, String> {
    let fields = Fields(link);
    let kind = match link.class {
        "Conv2D" | "Convolution2D" => return convolution(&fields),
        "Dense" => return dense(&fields),
        "MaxPooling2D" => max_pool(&fields)?,
        "GlobalAveragePooling2D" => {
            fields.only("keepdims", false)?;
            fields.channels_last()?;
            LayerKind::GlobalAveragePool
        }
        "Flatten" => {
            fields.channels_last()?;
            LayerKind::Flatten
        }
        "Dropout" => LayerKind::Dropout { rate: fields.rate()? },
        "BatchNormalization" => batch_norm(&fields, vector)?,
        "ReLU" | "Activation" | "Softmax" => return activation(&fields),
        "InputLayer" => return Ok(Found { part: Part::Nothing, softmax: false }),
        other => {
            return Err(format!(
                "layer '{}' is a {other}, which does not exist here (there are Conv2D, MaxPooling2D, \
                 GlobalAveragePooling2D, Flatten, Dense, Dropout, BatchNormalization, ReLU, and softmax at the end)",
                link.name
            ));
        }
    };
    Ok(Found { part: Part::Layer(kind), softmax: false })
}

fn convolution(fields: &Fields) -> Result<Found, String> {
    fields.channels_last()?;
    fields.only_ones("dilation_rate")?;
    fields.only("groups", 1)?;
    let (relu, softmax) = fields.activation()?;
    if softmax {
        return Err(fields.refuse("activation", "softmax over feature maps"));
    }
    let kind = LayerKind::Conv2d {
        filters: fields.count("filters")?,
        kernel: fields.pair("kernel_size")?,
        stride: fields.pair("strides")?,
        padding: fields.padding()?,
        bias: fields.flag("use_bias", true),
        relu,
    };
    Ok(Found { part: Part::Layer(kind), softmax })
}

fn dense(fields: &Fields) -> Result<Found, String> {
    let (relu, softmax) = fields.activation()?;
    let kind = LayerKind::Dense { units: fields.count("units")?, bias: fields.flag("use_bias", true), relu };
    Ok(Found { part: Part::Layer(kind), softmax })
}

fn max_pool(fields: &Fields) -> Result<LayerKind, String> {
    fields.channels_last()?;
    let window = fields.pair("pool_size")?;
    let stride = if fields.0.config["strides"].is_null() { window } else { fields.pair("strides")? };
    Ok(LayerKind::MaxPool2d { window, stride, padding: fields.padding()? })
}

fn batch_norm(fields: &Fields, vector: bool) -> Result<LayerKind, String> {
    fields.last_axis(if vector { 1 } else { 3 })?;
    for (option, plain) in [("center", true), ("scale", true)] {
        fields.only(option, plain)?;
    }
    let BatchNorm { momentum, epsilon, .. } = BatchNorm::default();
    Ok(LayerKind::BatchNorm {
        momentum: fields.number("momentum", momentum)?,
        epsilon: fields.number("epsilon", epsilon)?,
        relu: false,
    })
}

fn activation(fields: &Fields) -> Result<Found, String> {
    let (relu, softmax) = match fields.0.class {
        "ReLU" => {
            for (option, plain) in
                [("max_value", Value::Null), ("negative_slope", 0.0.into()), ("threshold", 0.0.into())]
            {
                fields.only(option, plain)?;
            }
            (true, false)
        }
        "Softmax" => (false, true),
        _ => fields.activation()?,
    };
    Ok(Found { part: if relu { Part::Relu } else { Part::Nothing }, softmax })
}

/// A layer's configuration, read with errors that name the layer.
struct Fields<'l>(&'l Link<'l>);

impl Fields<'_> {
    fn refuse(&self, option: &str, value: impl std::fmt::Display) -> String {
        format!("layer '{}' ({}) has {option} {value}, which does not exist here", self.0.name, self.0.class)
    }

    fn count(&self, field: &str) -> Result<usize, String> {
        let value = &self.0.config[field];
        let count = value.as_u64().filter(|n| (1..1 << 24).contains(n));
        count.map(|n| n as usize).ok_or_else(|| self.refuse(field, value))
    }

    /// `[2, 2]`, or 2 for both.
    fn pair(&self, field: &str) -> Result<[usize; 2], String> {
        let value = &self.0.config[field];
        let number = |value: &Value| value.as_u64().filter(|n| (1..1 << 16).contains(n)).map(|n| n as usize);
        let pair = match value.as_array().map(Vec::as_slice) {
            Some([a, b]) => number(a).zip(number(b)),
            _ => number(value).map(|n| (n, n)),
        };
        pair.map(|(a, b)| [a, b]).ok_or_else(|| self.refuse(field, value))
    }

    fn flag(&self, field: &str, missing: bool) -> bool {
        self.0.config[field].as_bool().unwrap_or(missing)
    }

    fn padding(&self) -> Result<Padding, String> {
        match self.0.config["padding"].as_str() {
            Some("same") => Ok(Padding::Same),
            Some("valid") | None => Ok(Padding::Valid),
            Some(other) => Err(self.refuse("padding", other)),
        }
    }

    fn rate(&self) -> Result<f32, String> {
        let value = &self.0.config["rate"];
        let rate = value.as_f64().filter(|rate| (0.0..1.0).contains(rate));
        if !self.0.config["noise_shape"].is_null() {
            return Err(self.refuse("noise_shape", &self.0.config["noise_shape"]));
        }
        rate.map(|rate| rate as f32).ok_or_else(|| self.refuse("rate", value))
    }

    /// (ReLU, softmax)
    fn activation(&self) -> Result<(bool, bool), String> {
        // Keras 3 writes an activation of one's own as an object.
        match &self.0.config["activation"] {
            Value::Null => Ok((false, false)),
            Value::String(name) => match name.as_str() {
                "linear" => Ok((false, false)),
                "relu" => Ok((true, false)),
                "softmax" => Ok((false, true)),
                other => Err(self.refuse("activation", other)),
            },
            other => Err(self.refuse("activation", &other["class_name"])),
        }
    }

    fn number(&self, field: &str, missing: f32) -> Result<f32, String> {
        match &self.0.config[field] {
            Value::Null => Ok(missing),
            value => value.as_f64().map(|v| v as f32).ok_or_else(|| self.refuse(field, value)),
        }
    }

    /// The axis `last`, which is also -1; Keras 2 writes a list of one.
    fn last_axis(&self, last: i64) -> Result<(), String> {
        let value = &self.0.config["axis"];
        let axis = value.as_array().and_then(|axes| axes.first()).unwrap_or(value);
        match axis.is_null() || axis.as_i64().is_some_and(|axis| axis == -1 || axis == last) {
            true => Ok(()),
            false => Err(self.refuse("axis", value)),
        }
    }

    fn channels_last(&self) -> Result<(), String> {
        self.only("data_format", "channels_last")
    }

    /// An option that may be missing, null, or `plain`.
    fn only(&self, option: &str, plain: impl Into<Value>) -> Result<(), String> {
        let (value, plain) = (&self.0.config[option], plain.into());
        let same =
            value.is_null() || *value == plain || value.as_f64().is_some_and(|v| Some(v) == plain.as_f64());
        if same { Ok(()) } else { Err(self.refuse(option, value)) }
    }

    fn only_ones(&self, option: &str) -> Result<(), String> {
        let value = &self.0.config[option];
        match value.is_null() || self.pair(option)? == [1, 1] {
            true => Ok(()),
            false => Err(self.refuse(option, value)),
        }
    }
}
