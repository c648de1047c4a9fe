//! The library of WGSL functions; a kernel includes those it calls and what they call.

use std::collections::BTreeSet;
use std::sync::OnceLock;

const FILES: [&str; 4] = [
    include_str!("math.wgsl"),
    include_str!("arithmetic.wgsl"),
    include_str!("keys.wgsl"),
    include_str!("philox.wgsl"),
];

struct Declaration {
    name: &'static str,
    text: &'static str,
    /// Declarations of the library that the text names.
    needs: Vec<usize>,
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty())
}

/// Declarations start at the left margin and end before the next blank line.
fn library() -> &'static [Declaration] {
    static LIBRARY: OnceLock<Vec<Declaration>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut out: Vec<Declaration> = Vec::new();
        for block in FILES.iter().flat_map(|file| file.split("\n\n")) {
            let start = block.lines().take_while(|l| l.starts_with("//")).map(|l| l.len() + 1).sum::<usize>();
            let text = block.get(start..).unwrap_or("").trim_end();
            if let Some(name) = words(text).nth(1) {
                out.push(Declaration { name, text, needs: Vec::new() });
            }
        }
        let names: Vec<&str> = out.iter().map(|d| d.name).collect();
        for (i, declaration) in out.iter_mut().enumerate() {
            let used: BTreeSet<&str> = words(declaration.text).collect();
            declaration.needs = (0..names.len()).filter(|&j| j != i && used.contains(names[j])).collect();
        }
        out
    })
}

/// The text of these functions and of all that they need.
pub(crate) fn texts(functions: &BTreeSet<&'static str>) -> String {
    let library = library();
    let mut wanted = vec![false; library.len()];
    let mut pending: Vec<usize> = functions
        .iter()
        .map(|f| library.iter().position(|d| d.name == *f).unwrap_or_else(|| panic!("no WGSL function {f}")))
        .collect();
    while let Some(i) = pending.pop() {
        if !std::mem::replace(&mut wanted[i], true) {
            pending.extend(&library[i].needs);
        }
    }
    let mut out = String::new();
    for (declaration, _) in library.iter().zip(&wanted).filter(|(_, wanted)| **wanted) {
        out.push_str(declaration.text);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_what_is_needed_and_no_more() {
        let text = texts(&BTreeSet::from(["tanh_"]));
        assert!(text.contains("fn exp_core(") && text.contains("fn is_nan("), "{text}");
        assert!(!text.contains("fn log_("), "{text}");
        assert!(!text.contains("//"), "{text}");
    }

    #[test]
    fn every_function_stands_alone() {
        for declaration in library() {
            let text = texts(&BTreeSet::from([declaration.name]));
            assert!(text.contains(declaration.name));
        }
    }
}
