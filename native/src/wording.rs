//! Errors in the words of TypeScript: the core names ops, inputs and attributes as Rust does.

use crate::environment::op_table;
use fovea_core::attributes::camel;
use fovea_core::error::{ErrorKind, Fields};

/// `text` with those of its words that are among `names` in camelCase.
fn reworded(text: &str, names: &[&str]) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.split_inclusive(|c| !is_word(c))
        .map(|piece| {
            let word = piece.trim_end_matches(|c| !is_word(c));
            if names.contains(&word) { camel(word) + &piece[word.len()..] } else { piece.to_owned() }
        })
        .collect()
}

/// The fields as TypeScript says them. In sentences only the names of the op at fault are changed: other words with
/// underscores are the user's, such as keys of state dicts, variables or files.
pub fn worded(fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    let op = fields.op.take();
    if let Some(def) = op.as_deref().and_then(|op| op_table().defs.iter().find(|def| def.name == op))
        && fields.kind != ErrorKind::StaleValue
    {
        let names: Vec<&str> = std::iter::once(def.name)
            .chain(def.inputs.iter().map(|input| input.name))
            .chain(def.attributes.iter().map(|attribute| attribute.name))
            .collect();
        fields.message = reworded(&fields.message, &names);
        for text in [&mut fields.expected, &mut fields.received].into_iter().flatten() {
            *text = reworded(text, &names);
        }
    }
    fields.op = op.map(|op| camel(&op));
    fields.argument = fields.argument.map(|argument| camel(&argument));
    fields
}
