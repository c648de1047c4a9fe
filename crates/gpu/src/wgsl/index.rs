//! Index arithmetic in u32; strides that walk back wrap around, which u32 arithmetic undoes.

use super::Source;

/// Splits a row-major number into coordinates: one `let` for each dimension of more than one element. Sizes are those
/// of the dimensions, outermost first; the number must be less than their product.
pub(crate) fn coordinates(source: &mut Source, number: &str, sizes: &[usize]) -> Vec<String> {
    let mut names = vec!["0u".to_owned(); sizes.len()];
    let mut rest = number.to_owned();
    let outermost = sizes.iter().position(|&s| s != 1);
    for d in (0..sizes.len()).rev() {
        if sizes[d] == 1 {
            continue;
        }
        if Some(d) == outermost {
            names[d] = rest.clone();
            break;
        }
        names[d] = source.bound("c", format!("{rest} % {}u", sizes[d]));
        rest = source.bound("q", format!("{rest} / {}u", sizes[d]));
    }
    names
}

/// `start + Σ coordinate · stride` as an expression of type u32.
pub(crate) fn offset(start: &str, coordinates: &[String], strides: &[isize]) -> String {
    let mut text = if start == "0u" { String::new() } else { start.to_owned() };
    for (coordinate, &stride) in coordinates.iter().zip(strides) {
        if stride == 0 || coordinate == "0u" {
            continue;
        }
        let term = match stride.unsigned_abs() {
            1 => coordinate.clone(),
            n => format!("{coordinate} * {n}u"),
        };
        match (text.is_empty(), stride < 0) {
            (true, false) => text = term,
            (true, true) => text = format!("0u - {term}"),
            (false, false) => text = format!("{text} + {term}"),
            (false, true) => text = format!("{text} - {term}"),
        }
    }
    if text.is_empty() { "0u".into() } else { text }
}
