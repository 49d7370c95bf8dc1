//! Curves as pictures: calls against cost, memory and lateness.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::case::{Case, Scene};
use super::table::Row;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room for the numbers at the axes.
const EDGE: f64 = 60.0;

/// One line of a picture: what it is, and a point for each number of calls.
type Curve = (&'static str, Vec<(f64, f64)>);

/// Whether a case is on a curve.
type IsOn = fn(&Case) -> bool;

/// The curves there are: a name, and which cases are on it.
const CURVES: [(&str, IsOn); 4] = [
    ("recording", |it| it.scene == Scene::Record && !it.is_long()),
    ("recording, messages of 60 s", Case::is_long),
    ("listening", |it| it.scene == Scene::Listen && it.realtime && !it.shared),
    ("listening, normal priority", |it| it.scene == Scene::Listen && !it.realtime && !it.shared),
];

/// Writes all pictures of what was measured.
pub fn all(folder: &Path, rows: &[Row]) {
    let curves = |value: fn(&Row) -> Option<f64>| -> Vec<Curve> {
        let of = |(name, is_on): (&'static str, IsOn)| {
            let rows = rows.iter().filter(|it| is_on(&it.case));
            (name, rows.filter_map(|it| Some((it.case.calls as f64, value(it)?))).collect())
        };
        CURVES.map(of).into_iter().filter(|it: &Curve| !it.1.is_empty()).collect()
    };
    let late = |it: &Row| (it.seen.heard.packets > 0).then(|| it.seen.heard.lateness_ms(99.0));
    let pictures = [
        ("processor.svg", "processors kept busy", curves(|it| Some(it.busy))),
        ("cost.svg", "processor seconds a call-minute", curves(|it| Some(it.per_minute))),
        ("memory.svg", "KiB a call", curves(|it| it.memory)),
        ("lateness.svg", "lateness p99, ms", curves(late)),
    ];
    fs::create_dir_all(folder).expect("a folder for pictures");
    for (name, title, curves) in pictures {
        if !curves.is_empty() {
            fs::write(folder.join(name), picture(title, &curves)).expect("a picture");
        }
    }
}

fn picture(title: &str, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|it| &it.1);
    let most_x = points().map(|it| it.0).fold(1.0, f64::max);
    let most_y = points().map(|it| it.1).fold(f64::MIN_POSITIVE, f64::max) * 1.1;
    let x = |calls: f64| EDGE + calls / most_x * (WIDTH - 2.0 * EDGE);
    let y = |value: f64| HEIGHT - EDGE - value / most_y * (HEIGHT - 2.0 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\"><title>{title}, by calls at once</title>\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\
         <text x=\"{EDGE}\" y=\"24\" font-size=\"14\">{title}, by calls at once</text>"
    );
    for step in 0..=4 {
        let value = most_y * f64::from(step) / 4.0;
        let at = y(value);
        let _ = write!(
            svg,
            "<line x1=\"{EDGE}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - EDGE,
            EDGE - 6.0,
            at + 4.0,
            short(value)
        );
    }
    let mut calls: Vec<f64> = points().map(|it| it.0).collect();
    calls.sort_by(f64::total_cmp);
    calls.dedup();
    for count in calls {
        let (at, below) = (x(count), HEIGHT - EDGE + 18.0);
        let _ =
            write!(svg, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{count}</text>");
    }
    for (number, (name, points)) in curves.iter().enumerate() {
        let colour = ["#0b5fa5", "#b3440c", "#4b7a1f", "#7a3d8f"][number % 4];
        let line: Vec<_> =
            points.iter().map(|it| format!("{:.1},{:.1}", x(it.0), y(it.1))).collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
            line.join(" "),
            WIDTH - EDGE,
            40.0 + 16.0 * number as f64
        );
        for point in points {
            let (at, up) = (x(point.0), y(point.1));
            let _ =
                write!(svg, "<circle cx=\"{at:.1}\" cy=\"{up:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
    svg + "</svg>\n"
}

fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        it if it >= 100.0 => format!("{it:.0}"),
        it if it >= 1.0 => format!("{it:.1}"),
        it => format!("{it:.4}"),
    }
}
