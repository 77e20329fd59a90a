//! Frostline: a from-scratch GPU kernel framework for transfer learning.
//!
//! # From a tensor to a trained model
//!
//! **A tensor has a [`shape::Shape`]**, at most four dimensions, the batch first and the channels last. **An op** turns
//! tensors into a tensor; it states its shape rule, its kernels for each adapter and its plain-loop reference
//! ([`ops::Op`]). Run one alone, between guard words, beside its reference:
//!
//! ```no_run
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::ops::{Case, Rung, Rungs, conv2d::Conv2d, trial};
//!
//! let device = Device::open(&Choice::Best)?;
//! let case = Case::new(Conv2d::vgg(16), &[&[2, 32, 32, 3]]); // x (n, h, w, ci)
//! for result in trial::compare_all(&device, &case, Rungs::all(Rung::Naive))? {
//!     println!("{:?} is within {:.0e} of its reference", result.operand, result.rel_l2);
//! }
//! # Ok::<(), frostline::error::Error>(())
//! ```
//!
//! **Layers make a graph**, whose shapes are known before a byte is allocated. The gradient sweep decides for each edge
//! whether somebody needs its gradient; what nobody needs is never created ([`graph::grad`]). No device is needed to see
//! it:
//!
//! ```
//! use frostline::nn::{Freeze, Head, Network, Pool, Preprocessing, vgg};
//! use frostline::graph::Sweep;
//!
//! let head = Head { pool: Pool::Avg, classes: 8, ..Head::default() };
//! let architecture = vgg::with_head("vgg16", 96, Preprocessing::Caffe, &head)?;
//! let network = Network::new(architecture, &Freeze::Until("block4_pool".into()), 0.0)?;
//! let first = network.graph.nodes.iter().position(|node| node.name == "block5_conv1").unwrap();
//! let decision = &Sweep::of(&network.graph).nodes[first];
//! assert_eq!(decision.d_w.to_string(), "trains");
//! assert_eq!(decision.d_x[0].to_string(), "nothing below it trains");
//! # Ok::<(), frostline::error::Error>(())
//! ```
//!
//! **Training** takes images from a folder, runs what is frozen once per image, and fits the rest:
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use frostline::data::{batches, batches::Loader, folder, folder::Dataset};
//! use frostline::gpu::{Device, adapter::Choice};
//! use frostline::graph::Store;
//! use frostline::nn::{Freeze, Head, Network, Pool, Preprocessing, init::Random, vgg};
//! use frostline::optim::Adam;
//! use frostline::train::pretrained::{Pretrained, initialise};
//! use frostline::train::features::transfer::{Staging, stage};
//! use frostline::train::{Checkpoint, Fit, ImageSamples, Observer};
//!
//! struct Silent;
//! impl Observer for Silent {}
//!
//! let data = Dataset::open(Path::new("examples/clipart8"), &folder::Options::default())?;
//! let head = Head { pool: Pool::Avg, classes: data.classes.len(), ..Head::default() };
//! let architecture = vgg::with_head("vgg16", 96, Preprocessing::Caffe, &head)?;
//! let network = Network::new(architecture, &Freeze::All, 0.0)?;
//!
//! let mut store = Store::new(Arc::new(Device::open(&Choice::Best)?));
//! let weights = Pretrained::new(Path::new("weights/vgg16_imagenet_notop.f16.safetensors"));
//! initialise(&network, Some(&weights), &mut store, Random::new(0))?;
//!
//! let samples = |split: &frostline::data::split::Split| {
//!     Loader::new(split.clone(), batches::Options::square(96, 16)).map(|loader| ImageSamples(Arc::new(loader)))
//! };
//! let (train, val) = (samples(&data.train)?, samples(&data.val)?);
//! let staging = Staging { batch: 16, memory: u64::MAX, cache: None, variants: None };
//! let staged = stage(&network.graph, &mut store, train, Some(val), &staging, |_| ())?;
//! let rule = Arc::new(Adam::with_decay(1.0));
//! let fit = Fit::new(&staged.graph, &*staged.train, rule);
//! let fit = Fit { val: staged.val.as_deref(), epochs: 100, learning_rate: 0.003, ..fit };
//! let history = fit.run(&mut store, &mut Silent)?;
//! println!("best: {:?}", history.rows.last());
//! Checkpoint::new(&network.architecture, &data.classes).save(Path::new("clipart.safetensors"), &store)?;
//! # Ok::<(), frostline::error::Error>(())
//! ```
//!
//! **Looking inside** is [`study`]: what is computed and why ([`study::explain`]), proof that this machine is right
//! ([`study::check`]), where a network looks ([`study::show`]), one step taken apart ([`study::trace`]).
//!
//! # Rooms
//!
//! In the order in which they may know each other (`tests/house.rs` holds it):
//! `error, shape <- gpu <- ops, optim <- graph <- nn <- weights, data <- train <- study, report <- cli`.

pub mod cli;
pub mod data;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod report;
pub mod shape;
pub mod study;
pub mod train;
pub mod weights;
