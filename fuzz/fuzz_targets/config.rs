//! Keras' model and optimizer configurations: the input is JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let Ok(config) = serde_json::from_slice::<serde_json::Value>(text) else { return };
    if let Ok(model) = frostline::nn::keras::model(&config, Some(32)) {
        let written = frostline::nn::keras::config(&model.architecture, 0);
        let again = frostline::nn::keras::model(&written, None).expect("what is written reads back");
        assert_eq!(again.architecture.layers, model.architecture.layers);
    }
    let optimizer = &config["compile_config"]["optimizer"];
    let class = optimizer["class_name"].as_str().unwrap_or("SGD");
    let _ = frostline::optim::keras::from_config(class, &optimizer["config"]);
});
