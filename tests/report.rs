//! The page of a run, from values alone: what it says, what it leaves out, and that it needs nothing but itself.

use frostline::nn::{Freeze, Head, Preprocessing, vgg};
use frostline::ops::Precision;
use frostline::optim::Adam;
use frostline::report::judge::Judged;
use frostline::report::sections::{
    curves, freeze, layers, losses, receipt, samples, setting, shares, summary,
};
use frostline::report::{Page, Picture, Report};
use frostline::study::explain::{Explanation, Setting};
use frostline::train::evaluate::Evaluation;
use frostline::train::scores::Scores;
use frostline::train::{EpochRow, History};

/// A name that would break out of any markup that it is not escaped in.
const EVIL: &str = "<script>alert('\"&')</script>";

fn row(epoch: usize, val_acc: Option<f64>, lr: f32) -> EpochRow {
    let left = 1.0 / (epoch + 1) as f64;
    let val_loss = val_acc.map(|a| 1.0 - a);
    EpochRow { epoch, acc: 1.0 - left, loss: left, lr, val_acc, val_loss, ..EpochRow::default() }
}

/// Three images of three classes, the last one of them mistaken for the first.
fn judged() -> Judged {
    let mut found = Evaluation {
        losses: vec![0.1, 0.2, 3.5],
        probabilities: vec![0.9, 0.1, 0.0, 0.1, 0.8, 0.1, 0.96, 0.01, 0.03],
        labels: vec![0, 1, 2],
        indices: vec![0, 1, 2],
        ..Evaluation::default()
    };
    found.metrics.add(&found.losses, &found.probabilities, &found.labels);
    let scores = Scores::of(&found, &[EVIL, "bug", "car"].map(str::to_owned), 2, 1);
    let picture = Some(Picture::new(&[100; 8 * 8 * 3], 8, 8));
    let loss = losses::Loss {
        scores: scores.top_losses[0].clone(),
        path: EVIL.into(),
        picture: picture.clone(),
        overlay: picture,
    };
    Judged { on: "Three images.".into(), losses: vec![loss], scores }
}

fn stage(name: &str, freeze: Freeze) -> freeze::Stage {
    let head = Head { classes: 3, ..Head::default() };
    let setting = Setting {
        architecture: vgg::with_head("vgg11", 32, Preprocessing::Caffe, &head).unwrap(),
        freeze,
        batch: 4,
        rule: std::sync::Arc::new(Adam::default()),
        memory: u64::MAX,
        precision: Precision::F32,
    };
    freeze::Stage { name: name.into(), explanation: Explanation::of(&setting).unwrap() }
}

fn curves(rows: Vec<EpochRow>) -> curves::Curves {
    curves::Curves { history: History { rows }, ..curves::Curves::default() }
}

fn full() -> Report {
    let fact = |value: &str| setting::Fact::new("data", value);
    let picture = Picture::new(&[200; 8 * 8 * 3], 8, 8);
    Report {
        title: format!("vgg16 on {EVIL}"),
        summary: summary::Summary {
            state: "Complete.".into(),
            figures: vec![summary::Figure::new("71.3 %", "validation accuracy")],
        },
        setting: vec![fact(EVIL)],
        curves: curves::Curves {
            best: Some(1),
            ..curves(vec![row(0, Some(0.5), 0.01), row(1, Some(0.75), 0.001)])
        },
        judged: Some(judged()),
        freeze: vec![stage("the only one", Freeze::Until("block4_pool".into()))],
        layers: Some(layers::LayerTimes {
            parts: vec!["forward".into(), "backward".into()],
            layers: vec![layers::LayerTime { layer: EVIL.into(), milliseconds: vec![3.0, 4.5] }],
            measured: "One step.".into(),
        }),
        shares: vec![shares::Share { name: "epoch 1".into(), input: 1.0, host: 1.0, device: 2.0 }],
        samples: vec![samples::Sample { picture, class: EVIL.into() }],
        receipt: receipt::Receipt { facts: vec![fact(EVIL)], hashes: vec![(0, "c0ffee".into())] },
    }
}

#[test]
fn names_of_users_are_text_and_never_markup() {
    let page = full().html();
    assert!(!page.contains("<script"), "{page}");
    let escaped = page.matches("&lt;script&gt;alert('&quot;&amp;')&lt;/script&gt;").count();
    assert!(escaped >= 6, "{escaped} of the names are there");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = full().html();
    for outside in ["http:", "https:", "url(", "@import", "src=\"/"] {
        assert!(!page.contains(outside), "the page refers to the outside: {outside}");
    }
    assert_eq!(page.matches("href=").count(), 1, "but for the icon");
    assert!(
        page.contains("<link rel=\"icon\" href=\"data:image/svg+xml;base64,"),
        "a browser would ask for one"
    );
    assert_eq!(page.matches("src=").count(), page.matches("src=\"data:image/jpeg;base64,").count());
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
}

#[test]
fn the_page_says_what_the_run_came_to() {
    let page = full().html();
    for said in ["<b>car</b> taken for", "96 % sure, loss 3.50", "Grad-CAM", "expected calibration error"] {
        assert!(page.contains(said), "{said} is missing");
    }
    for said in ["71.3 %", "learning rate", "best, 2", "7.5", "Input took 25 %", "c0ffee", "epoch 1"] {
        assert!(page.contains(said), "{said} is missing");
    }
}

#[test]
fn the_freeze_table_says_what_trains_and_why_not() {
    let page = full().html();
    for said in [
        "no: frozen",
        "no: nothing below it trains",
        "yes: block5_conv1 trains",
        "backward, GFLOP",
        ">d_x: nothing below it trains<",
    ] {
        assert!(page.contains(said), "{said} is missing");
    }
    let stages = vec![stage("Epochs 1 to 5", Freeze::All), stage("Epochs 6 to 7", Freeze::None)];
    let page = Report { freeze: stages, ..Report::default() }.html();
    assert!(page.contains("<h3>Epochs 1 to 5</h3>") && page.contains("<h3>Epochs 6 to 7</h3>"), "{page}");
}

#[test]
fn a_judgement_without_mistakes_says_so() {
    let mut judged = judged();
    (judged.scores.confused, judged.losses) = (Vec::new(), Vec::new());
    let page = Report { judged: Some(judged), ..Report::default() }.html();
    assert!(
        page.contains("No image was taken for another class") && !page.contains("Highest losses"),
        "{page}"
    );
}

#[test]
fn what_is_not_known_is_said_or_left_out() {
    let page = Report { title: "just begun".into(), ..Report::default() }.html();
    assert!(page.contains("No epoch has ended yet") && page.contains("Layers are timed when"), "{page}");
    assert!(
        !page.contains("<svg") && !page.contains("NaN") && !page.contains("After augmentation"),
        "{page}"
    );
}

#[test]
fn a_run_without_validation_has_no_line_for_it_and_a_constant_rate_no_chart() {
    let page = |val_acc, lr| {
        Report { curves: curves(vec![row(0, val_acc, 0.01), row(1, val_acc, lr)]), ..full() }.html()
    };
    assert!(page(Some(0.5), 0.02).contains(">validation<") && !page(None, 0.02).contains(">validation<"));
    assert!(page(None, 0.01).contains("The learning rate was 0.01 throughout"));
    assert_eq!(page(None, 0.02).matches("<svg").count(), page(None, 0.01).matches("<svg").count() + 1);
}

#[test]
fn writing_replaces_the_page_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    full().write(&path).unwrap();
    Report { title: "second".into(), ..Report::default() }.write(&path).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>") && page.contains("<h1>second</h1>")
    );
    let missing = full().write(std::path::Path::new("no-such-folder/report.html")).unwrap_err();
    assert!(missing.to_string().contains("no-such-folder"), "{missing}");
}
