//! What `frostline show` shows, and the options of each picture.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::options::subject::SubjectArgs;

#[derive(Debug, Subcommand)]
pub enum What {
    /// The kernels of the first convolution
    #[command(after_help = "Example: frostline show filters")]
    Filters {
        #[command(flatten)]
        subject: SubjectArgs,
        /// The sheet (PNG)
        #[arg(long, default_value = "filters.png")]
        out: PathBuf,
    },
    /// What an image lights up in a layer
    #[command(
        after_help = "Example: frostline show activations examples/clipart8/val/bird/bird_02.jpg --layer block3_conv1"
    )]
    Activations {
        image: PathBuf,
        /// The layer, such as block3_conv1
        #[arg(long)]
        layer: String,
        /// How many channels, those of the largest mean first
        #[arg(long, default_value_t = 32)]
        count: usize,
        #[command(flatten)]
        subject: SubjectArgs,
        /// The sheet (PNG)
        #[arg(long, default_value = "activations.png")]
        out: PathBuf,
    },
    /// Which places of a layer speak for a class: Grad-CAM
    #[command(
        after_help = "Example: frostline show gradcam examples/clipart8/val/bird/*.jpg --from runs/clipart/best.safetensors"
    )]
    Gradcam {
        #[arg(required = true)]
        images: Vec<PathBuf>,
        /// The layer [default: the last convolution]
        #[arg(long)]
        layer: Option<String>,
        /// The class, by name or number [default: the likeliest]
        #[arg(long)]
        class: Option<String>,
        /// Grad-CAM++ instead, which finds several objects
        #[arg(long)]
        plus_plus: bool,
        #[command(flatten)]
        subject: SubjectArgs,
        /// The sheet (PNG)
        #[arg(long, default_value = "gradcam.png")]
        out: PathBuf,
    },
    /// How much each pixel moves the logit of a class
    #[command(
        after_help = "Example: frostline show saliency examples/clipart8/val/bird/*.jpg --from runs/clipart/best.safetensors"
    )]
    Saliency {
        #[arg(required = true)]
        images: Vec<PathBuf>,
        /// The class, by name or number [default: the likeliest]
        #[arg(long)]
        class: Option<String>,
        #[command(flatten)]
        subject: SubjectArgs,
        /// The sheet (PNG)
        #[arg(long, default_value = "saliency.png")]
        out: PathBuf,
    },
    /// Images that channels like best, by gradient ascent from noise
    #[command(after_help = "Example: frostline show dream --layer block4_conv2 --channel 1,7,31,100")]
    Dream {
        /// The layer, such as block4_conv2
        #[arg(long)]
        layer: String,
        /// Channels, such as 0,7,31
        #[arg(long, value_delimiter = ',', default_value = "0")]
        channel: Vec<usize>,
        /// Steps of ascent
        #[arg(long, default_value_t = 128)]
        steps: usize,
        #[command(flatten)]
        subject: SubjectArgs,
        /// The sheet (PNG)
        #[arg(long, default_value = "dream.png")]
        out: PathBuf,
    },
    /// How far each layer's weights are from one checkpoint to another
    #[command(
        after_help = "Example: frostline show drift runs/clipart/best.safetensors runs/clipart-tuned/best.safetensors --out drift.svg"
    )]
    Drift {
        a: PathBuf,
        b: PathBuf,
        /// The chart (SVG); the table goes to standard output
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Linear CKA of each layer's results in two checkpoints of one architecture
    #[command(
        after_help = "Example: frostline show similarity runs/clipart/best.safetensors runs/clipart-tuned/best.safetensors examples/clipart8/val --out similarity.svg"
    )]
    Similarity {
        a: PathBuf,
        b: PathBuf,
        /// Images, or folders of images
        #[arg(required = true)]
        images: Vec<PathBuf>,
        /// At most this many images
        #[arg(long, default_value_t = 64)]
        count: usize,
        /// The chart (SVG); the table goes to standard output
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Units of the layers with a ReLU that none of the images makes fire
    #[command(
        after_help = "Example: frostline show dead examples/clipart8/val --from runs/clipart/best.safetensors --out dead.svg"
    )]
    Dead {
        /// Images, or folders of images
        #[arg(required = true)]
        images: Vec<PathBuf>,
        /// At most this many images
        #[arg(long, default_value_t = 64)]
        count: usize,
        #[command(flatten)]
        subject: SubjectArgs,
        /// The chart (SVG); the table goes to standard output
        #[arg(long)]
        out: Option<PathBuf>,
    },
}
