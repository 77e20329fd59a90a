//! What the program says when something is wrong, as one page to be read in one sitting: what happened, where, and what
//! to do. The page is `tests/snapshots/messages__every_message.snap`.
#![cfg(unix)]

mod cli_support;

use std::path::Path;

use cli_support::program;

/// `count` images in `folder`, each unlike the others.
fn images(folder: &Path, count: usize) {
    std::fs::create_dir_all(folder).unwrap();
    for i in 0..count {
        let id = folder.as_os_str().len() * 31 + i * 7;
        let picture =
            image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([id as u8, (x * 8) as u8, (y * 8) as u8]));
        picture.save(folder.join(format!("{i}.png"))).unwrap();
    }
}

/// Folders and files with one thing wrong each, below `root`.
fn scene(root: &Path) {
    images(&root.join("good/train/cat"), 3);
    images(&root.join("good/train/dog"), 3);
    images(&root.join("good/val/cat"), 1);
    images(&root.join("good/val/dog"), 1);
    images(&root.join("strangers/emu"), 1);
    images(&root.join("single/cat"), 2);
    images(&root.join("loose"), 2);
    images(&root.join("differ/train/cat"), 1);
    images(&root.join("differ/train/dog"), 1);
    images(&root.join("differ/val/cat"), 1);
    images(&root.join("differ/val/emu"), 1);
    std::fs::create_dir_all(root.join("empty")).unwrap();
    for class in ["cat", "dog"] {
        std::fs::create_dir_all(root.join("broken").join(class)).unwrap();
        std::fs::write(root.join("broken").join(class).join("0.png"), b"not a picture").unwrap();
        std::fs::write(root.join("broken").join(class).join("1.jpg"), b"").unwrap();
    }
    std::fs::write(root.join("words.txt"), b"words").unwrap();
    std::fs::write(root.join("cut.safetensors"), [16, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    std::fs::write(root.join("cut.h5"), b"\x89HDF\r\n\x1a\n").unwrap();
}

/// What the command says on stderr in its `error:` lines and behind them, paths and adapters made equal everywhere.
fn said(root: &Path, words: &str) -> String {
    let place = root.to_str().unwrap();
    let words = words.split_whitespace().map(|word| word.replace("IN", place));
    let mut command = program();
    let output =
        command.args(words).current_dir(env!("CARGO_MANIFEST_DIR")).env("COLUMNS", "100").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).replace(place, "IN");
    let code = output.status.code();
    let Some(start) = said.find("error: ") else { return format!("{code:?} without an error: {said}\n") };
    let mut said = said[start..].trim_end().replace("error: ", "");
    if let (Some(from), Some(to)) = (said.find("choose one of "), said.find(" with --adapter")) {
        said.replace_range(from + "choose one of ".len()..to, "ADAPTERS");
    }
    // The parser's own pointer to the help says nothing of ours.
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    format!(
        "[{}] {}\n",
        code.map_or("killed".to_owned(), |code| code.to_string()),
        said.replace('\n', "\n  ")
    )
}

#[test]
fn every_message() {
    let root = tempfile::tempdir().unwrap();
    scene(root.path());
    let train = "train IN/good --model vgg11 --weights none --input 32 --pool avg --epochs 1";
    let trained = program()
        .args(train.replace("IN", root.path().to_str().unwrap()).split_whitespace())
        .arg("--out")
        .arg(root.path().join("run"))
        .output()
        .unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let with = |options: &str| format!("{train} --out IN/new {options}");
    let on = |data: &str| with("").replace("IN/good", data);
    let mut page = String::new();
    for (title, commands) in [
        (
            "Settings",
            vec![
                "plan --model vgg91".to_owned(),
                "plan --model resnet".to_owned(),
                "plan --freeze-until block3_poll".to_owned(),
                "plan --freeze 99".to_owned(),
                "plan --input 16".to_owned(),
                "plan --head 0".to_owned(),
                "plan --dropout 2".to_owned(),
                "plan --classes 1".to_owned(),
                "plan --pool max".to_owned(),
                "plan --preprocessing cafe".to_owned(),
                "plan --memory 2X".to_owned(),
                with("--lr 0"),
                with("--lr fast"),
                with("--optimizer adm"),
                with("--weight-decay -1"),
                with("").replace("--epochs 1", "--epochs 0"),
                with("--batch 0"),
                with("--val-fraction 1.5").replace("IN/good", "IN/good/train"),
            ],
        ),
        (
            "Sizes",
            vec![
                "plan --memory 100M".to_owned(),
                "plan --model vgg11 --input 1024 --pool avg".to_owned(),
                "plan --model vgg11 --input 256 --head 4096 --freeze all".to_owned(),
            ],
        ),
        ("Adapters", vec![with("--adapter 99"), with("--adapter nonesuch")]),
        (
            "Folders of images",
            vec![
                on("IN/gone"),
                on("IN/words.txt"),
                on("IN/empty"),
                on("IN/loose"),
                on("IN/single"),
                on("IN/differ"),
                on("IN/broken"),
                format!("{} --strict", on("IN/broken")),
            ],
        ),
        (
            "Weights",
            vec![
                with("").replace("--weights none", "--weights IN/gone.h5"),
                with("").replace("--weights none", "--weights IN/empty"),
                with("").replace("--weights none", "--weights IN/words.txt"),
                with("").replace("--weights none", "--weights IN/cut.safetensors"),
                with("").replace("--weights none", "--weights IN/cut.h5"),
                with("--model vgg19").replace(
                    "--model vgg11 --weights none",
                    "--weights weights/vgg16_imagenet_notop.f16.safetensors",
                ),
            ],
        ),
        (
            "Checkpoints and images",
            vec![
                "eval IN/gone.safetensors IN/good".to_owned(),
                "eval weights/vgg16_imagenet_notop.f16.safetensors IN/good".to_owned(),
                "eval IN/run/best.safetensors IN/strangers".to_owned(),
                "eval IN/run/best.safetensors IN/empty".to_owned(),
                "predict IN/run/best.safetensors IN/gone.png".to_owned(),
                "predict IN/run/best.safetensors IN/words.txt".to_owned(),
                "predict IN/run/best.safetensors IN/empty".to_owned(),
                "train IN/strangers --from IN/run/best.safetensors --out IN/new".to_owned(),
                "train IN/differ/train --from IN/gone.safetensors --out IN/new".to_owned(),
            ],
        ),
    ] {
        page.push_str(&format!("# {title}\n\n"));
        for command in commands {
            let short = command.replace(train, "train IN/good").replace(" --out IN/new", "");
            let short = short.replace(" --model vgg11 --weights none --input 32 --pool avg --epochs 1", "");
            page.push_str(&format!("$ {}\n{}\n", short.trim_end(), said(root.path(), &command)));
        }
    }
    assert!(!page.contains("panicked") && !page.contains("a bug in Frostline"), "{page}");
    insta::assert_snapshot!(page);
}
