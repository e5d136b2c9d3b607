//! Schedules of the diffusion in the texts and files of users.

use std::path::Path;

use crate::bridge::Diffusion;
use crate::error::{Error, Result};
use crate::io::measured::read_measured;

/// The schedule of a text: a number, or `START:END` for a linear one.
///
/// ```
/// use sbcell::bridge::Diffusion;
/// use sbcell::pipeline::diffusion_of;
///
/// assert_eq!(diffusion_of("0.5")?, Diffusion::Constant(0.5));
/// assert_eq!(diffusion_of("0:2")?, Diffusion::Linear { start: 0.0, end: 2.0 });
/// assert!(diffusion_of("fast").is_err() && diffusion_of("-1").is_err());
/// # sbcell::Result::Ok(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] if the text is neither, or a value is negative or not finite.
pub fn diffusion_of(text: &str) -> Result<Diffusion> {
    let number = |text: &str| {
        text.trim().parse::<f64>().map_err(|_| Error::Parameter {
            name: "diffusion",
            must: "a number, or two numbers such as 0.5:1.5",
            got: text.to_string(),
        })
    };
    let diffusion = match text.split_once(':') {
        Some((start, end)) => Diffusion::Linear { start: number(start)?, end: number(end)? },
        None => Diffusion::Constant(number(text)?),
    };
    diffusion.check()?;
    Ok(diffusion)
}

/// The schedule of a file: a table with a header and two columns, local time from 0 to 1 and
/// diffusion, separated by commas or tabs.
///
/// # Errors
/// As [`read_measured`]; [`Error::Unreadable`] if there is another number of columns or a time is no
/// number; those of [`Diffusion::check`].
pub fn read_diffusion(path: &Path) -> Result<Diffusion> {
    let unreadable = |problem: String| Error::Unreadable {
        path: path.to_path_buf(),
        problem,
        way_out: Some(
            "the file needs a header, such as `time,g`, and two numbers in each row".into(),
        ),
    };
    let table = read_measured(path)?;
    if table.columns.len() != 1 {
        return Err(unreadable(format!("it has {} columns, not two", table.columns.len() + 1)));
    }
    let row = |(text, g): (&String, &f64)| match text.parse::<f64>() {
        Ok(time) => Ok([time, *g]),
        Err(_) => Err(unreadable(format!("`{text}` is no time"))),
    };
    let rows = table.cells.iter().zip(&table.values).map(row).collect::<Result<_>>()?;
    let diffusion = Diffusion::Table(rows);
    diffusion.check()?;
    Ok(diffusion)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Diffusion> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schedule.csv");
        std::fs::write(&path, text).unwrap();
        read_diffusion(&path)
    }

    #[test]
    fn a_file_is_a_table_of_times() {
        let table = Diffusion::Table(vec![[0.0, 0.5], [0.75, 2.0]]);
        assert_eq!(read("time,g\n0,0.5\n0.75,2\n").unwrap(), table);
        for (text, words) in [
            ("time,g\nnow,1\n", "`now` is no time"),
            ("time,g,h\n0,1,2\n", "3 columns"),
            ("time,g\n0.5,1\n0.2,1\n", "increasing local times"),
            ("time,g\n0.5,-1\n", "finite and ≥ 0"),
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
