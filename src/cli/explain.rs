//! `frostline explain`: the gradient graph of a training setting, edge by edge, with the reasons.

use std::path::{Path, PathBuf};

use super::plan::{SettingArgs, setting};
use super::shared::{Shared, save};
use crate::error::Result;
use crate::report::gradients;
use crate::study::explain::Explanation;
use crate::study::explain::listing::{Difference, Listing};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: frostline explain --model vgg19 --input 256 --freeze 5 --head 1024,1024 --classes 16 --svg gradients.svg"
)]
pub struct Args {
    #[command(flatten)]
    pub setting: SettingArgs,
    /// Write the graph for Graphviz, as in 'dot -Tsvg FILE'
    #[arg(long, value_name = "FILE")]
    pub dot: Option<PathBuf>,
    /// Write the graph as a picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Compare two freezing choices, such as 5 and block3_pool
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["freeze", "freeze_until"])]
    pub diff: Vec<String>,
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let memory = shared.memory.unwrap_or(u64::MAX);
    if let [a, b] = &args.diff[..] {
        let explain = |freeze: &String| -> Result<Explanation> {
            let mut setting = setting(&args.setting, memory)?;
            setting.freeze = freeze.parse()?;
            Explanation::of(&setting)
        };
        let (a, b) = (explain(a)?, explain(b)?);
        if args.setting.json {
            println!("{}", serde_json::json!({ "a": a, "b": b }));
        } else {
            print!("{}", Difference(&a, &b));
        }
        return Ok(());
    }
    let explanation = Explanation::of(&setting(&args.setting, memory)?)?;
    let write = |path: &Option<PathBuf>, picture: fn(&Explanation) -> String| match path {
        Some(path) => written(shared, path, &picture(&explanation)),
        None => Ok(()),
    };
    write(&args.dot, gradients::dot)?;
    write(&args.svg, |e| gradients::Gradients(e).svg())?;
    if args.setting.json {
        println!("{}", serde_json::to_string_pretty(&explanation).expect("plain data serialises"));
    } else {
        print!("{}", Listing(&explanation));
    }
    Ok(())
}

fn written(shared: &Shared, path: &Path, text: &str) -> Result<()> {
    save(path, text)?;
    shared.say(format_args!("written   {}", path.display()));
    Ok(())
}
