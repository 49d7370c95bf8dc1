//! What verbs answer: a table for people, JSON for programs.

use std::io::Write;

use serde_json::Value;

/// Writes rows under their headings, columns aligned, with nothing in them that a terminal obeys.
pub(super) fn table<const N: usize>(
    out: &mut impl Write,
    headings: [&str; N],
    rows: &[[String; N]],
) -> anyhow::Result<()> {
    let headings = headings.map(str::to_owned);
    let lines: Vec<[String; N]> = std::iter::once(&headings)
        .chain(rows)
        .map(|row| row.each_ref().map(|it| plain(it)))
        .collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let padded = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let text = padded.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Writes one value for a program to read.
pub(super) fn json(out: &mut impl Write, value: &Value) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// A decision as it is written.
pub(super) fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

/// What was decided, in the same words.
pub(super) fn decision(word: &str) -> Result<bool, String> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

/// One line of harmless text.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}
