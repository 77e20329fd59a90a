//! Keras' optimizer configurations as rules, and back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::optim::{Adam, Clip, Common, Ema, Optimizer, RmsProp, Rule, Sgd};

/// An optimizer that a Keras file describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Described {
    pub optimizer: Optimizer,
    /// `None` where a schedule sets it.
    pub learning_rate: Option<f32>,
}

/// The optimizer called `class` with the settings of its `get_config`; names of Keras 2 (`lr`, `decay`) are known too.
///
/// # Errors
/// In words: another optimizer than SGD, Adam, AdamW and RMSprop, or an option that does not exist here.
///
/// Source: keras/src/optimizers/{base_optimizer,sgd,adam,rmsprop}.py.
pub fn from_config(class: &str, config: &Value) -> Result<Described, String> {
    let number = |key: &str, default: f32| config[key].as_f64().map_or(default, |value| value as f32);
    let share = |key: &str, default: f64| config[key].as_f64().unwrap_or(default);
    let flag = |key: &str| config[key].as_bool().unwrap_or(false);
    if flag("amsgrad") {
        return Err(format!("{class} with amsgrad does not exist here"));
    }
    let common = common(config)?;
    let optimizer = match class {
        "SGD" => {
            Optimizer::Sgd(Sgd { momentum: number("momentum", 0.0), nesterov: flag("nesterov"), common })
        }
        "Adam" | "AdamW" => Optimizer::Adam(Adam {
            beta_1: share("beta_1", 0.9),
            beta_2: share("beta_2", 0.999),
            epsilon: number("epsilon", 1e-7),
            common,
        }),
        "RMSprop" => Optimizer::RmsProp(RmsProp {
            rho: share("rho", 0.9),
            momentum: number("momentum", 0.0),
            epsilon: number("epsilon", 1e-7),
            centered: flag("centered"),
            common,
        }),
        other => {
            return Err(format!(
                "optimizer {other} does not exist here (there are SGD, Adam, AdamW, RMSprop)"
            ));
        }
    };
    common.check().map_err(|error| error.to_string())?;
    let rate = config["learning_rate"].as_f64().or(config["lr"].as_f64());
    Ok(Described { optimizer, learning_rate: rate.map(|rate| rate as f32) })
}

fn common(config: &Value) -> Result<Common, String> {
    let number = |key: &str| config[key].as_f64().map(|value| value as f32);
    if number("gradient_accumulation_steps").is_some_and(|steps| steps > 1.0) {
        return Err("gradient_accumulation_steps does not exist here; use a larger batch".to_owned());
    }
    let clips = [
        number("clipvalue").map(Clip::Value),
        number("clipnorm").map(Clip::Norm),
        number("global_clipnorm").map(Clip::GlobalNorm),
    ];
    let average = config["use_ema"].as_bool().unwrap_or(false).then(|| Ema {
        momentum: config["ema_momentum"].as_f64().unwrap_or(0.99),
        overwrite: config["ema_overwrite_frequency"].as_u64().map(|every| every as u32),
    });
    Ok(Common {
        weight_decay: number("weight_decay").unwrap_or(0.0),
        clip: clips.into_iter().flatten().next(),
        average,
        decay: number("decay").unwrap_or(0.0),
    })
}

/// `{"class_name", "config"}` of `rule`, as Keras 3 writes it. A decay of the rate, which it no longer has, becomes its
/// `InverseTimeDecay`.
pub fn to_config(rule: &dyn Rule, learning_rate: f32) -> Value {
    let mut config = rule.keras();
    let common = rule.common();
    let limit = |wanted: fn(Clip) -> Option<f32>| common.clip.and_then(wanted);
    let rest = json!({
        "learning_rate": rate(common, learning_rate),
        "weight_decay": Some(common.weight_decay).filter(|decay| *decay > 0.0),
        "clipvalue": limit(|clip| if let Clip::Value(limit) = clip { Some(limit) } else { None }),
        "clipnorm": limit(|clip| if let Clip::Norm(limit) = clip { Some(limit) } else { None }),
        "global_clipnorm": limit(|clip| if let Clip::GlobalNorm(limit) = clip { Some(limit) } else { None }),
        "use_ema": common.average.is_some(),
        "ema_momentum": common.average.map_or(0.99, |ema| ema.momentum),
        "ema_overwrite_frequency": common.average.and_then(|ema| ema.overwrite),
    });
    let fields = rest.as_object().expect("an object above").clone();
    config["config"].as_object_mut().expect("a rule gives an object").extend(fields);
    config["module"] = json!("keras.optimizers");
    config["registered_name"] = Value::Null;
    config
}

fn rate(common: &Common, learning_rate: f32) -> Value {
    if common.decay == 0.0 {
        return json!(learning_rate);
    }
    json!({
        "module": "keras.optimizers.schedules",
        "class_name": "InverseTimeDecay",
        "config": {
            "initial_learning_rate": learning_rate, "decay_steps": 1, "decay_rate": common.decay, "staircase": false,
        },
        "registered_name": null,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::optim;

    #[test]
    fn every_rule_reads_back_from_its_configuration() {
        let extra = Common {
            weight_decay: 0.25,
            clip: Some(Clip::GlobalNorm(2.0)),
            average: Some(Ema { momentum: 0.5, overwrite: Some(3) }),
            decay: 0.0,
        };
        let mut rules = optim::cases();
        rules.push(Arc::new(RmsProp { centered: true, common: extra, ..RmsProp::default() }));
        for rule in rules {
            let written = to_config(rule.as_ref(), 0.125);
            let read = from_config(written["class_name"].as_str().unwrap(), &written["config"]).unwrap();
            assert_eq!(format!("{:?}", read.optimizer.rule()), format!("{rule:?}"));
            assert_eq!(read.learning_rate, Some(0.125));
        }
    }

    #[test]
    fn keras_2_names_are_known_and_strangers_are_refused() {
        let old = from_config("SGD", &json!({ "lr": 0.5, "decay": 0.25, "momentum": 0.0 })).unwrap();
        assert_eq!((old.learning_rate, old.optimizer.rule().common().decay), (Some(0.5), 0.25));
        let message = |class, config: Value| from_config(class, &config).unwrap_err();
        assert!(message("Adagrad", json!({})).contains("Adagrad does not exist here"));
        assert!(message("Adam", json!({ "amsgrad": true })).contains("amsgrad"));
        assert!(message("SGD", json!({ "gradient_accumulation_steps": 4 })).contains("larger batch"));
    }

    #[test]
    fn a_decay_becomes_a_schedule() {
        let rule = Sgd { common: Common { decay: 0.5, ..Common::default() }, ..Sgd::default() };
        let rate = &to_config(&rule, 0.25)["config"]["learning_rate"];
        assert_eq!(
            (&rate["class_name"], &rate["config"]["decay_rate"]),
            (&json!("InverseTimeDecay"), &json!(0.5))
        );
    }
}
