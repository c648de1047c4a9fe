//! How an op's function looks from outside: parameters, options and their documentation.

use super::{Described, pascal};
use fovea_core::attributes::{AttrKind, AttrSchema, camel};
use fovea_core::dtype::DType;
use fovea_core::op::InputSchema;
use std::fmt::Write as _;

const WIDTH: usize = 120;

/// An op's inputs and attributes, sorted into parameters and options.
pub struct Signature<'a> {
    pub op: &'a Described<'a>,
    /// Attributes that cross the boundary, in order.
    pub attributes: Vec<&'a AttrSchema>,
    /// Attributes without a default: positional, behind the first input.
    pub required: Vec<&'a AttrSchema>,
    /// Inputs that must be given.
    pub inputs: Vec<&'a InputSchema>,
    pub optional_inputs: Vec<&'a InputSchema>,
    pub options: Vec<&'a AttrSchema>,
}

pub fn is_optional(kind: AttrKind) -> bool {
    matches!(kind, AttrKind::OptionalInt | AttrKind::OptionalInts | AttrKind::OptionalFloat)
}

fn kind_type(kind: AttrKind) -> &'static str {
    match kind {
        AttrKind::Bool => "boolean",
        AttrKind::Int | AttrKind::Float => "number",
        AttrKind::Ints => "number | readonly number[]",
        AttrKind::Pair => "number | readonly [number, number]",
        AttrKind::DType => "DType",
        AttrKind::OptionalInt | AttrKind::OptionalFloat => "number | null",
        AttrKind::OptionalInts => "number | readonly number[] | null",
        AttrKind::Given => "never",
    }
}

/// Whether a call may leave the attribute out.
pub fn has_default(attribute: &AttrSchema) -> bool {
    attribute.default.is_some() || is_optional(attribute.kind)
}

/// A default as TypeScript; `None` for optional attributes, which are left out instead.
pub fn default_text(attribute: &AttrSchema) -> Option<String> {
    let numbers = attribute.default.as_ref()?;
    Some(match attribute.kind {
        AttrKind::Bool => (numbers[0] != 0.0).to_string(),
        AttrKind::Int => numbers[0].to_string(),
        AttrKind::Float => float_text(numbers[0]),
        AttrKind::Ints => list_text(&numbers[1..]),
        AttrKind::Pair if numbers[0] == numbers[1] => numbers[0].to_string(),
        AttrKind::Pair => list_text(numbers),
        AttrKind::DType => format!("'{}'", DType::from_code(numbers[0] as u32).map_or("f32", DType::name)),
        AttrKind::OptionalInt | AttrKind::OptionalFloat if numbers[0] != 0.0 => float_text(numbers[1]),
        AttrKind::OptionalInts if numbers[0] != 0.0 => list_text(&numbers[2..]),
        AttrKind::OptionalInt | AttrKind::OptionalInts | AttrKind::OptionalFloat | AttrKind::Given => {
            return None;
        }
    })
}

fn float_text(v: f64) -> String {
    if v.is_infinite() {
        if v > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        format!("{v:?}").trim_end_matches(".0").to_owned()
    }
}

fn list_text(numbers: &[f64]) -> String {
    format!("[{}]", numbers.iter().map(|n| float_text(*n)).collect::<Vec<_>>().join(", "))
}

/// What a method calls the parameter that the function calls `name`.
fn other(name: &str) -> &str {
    if name == "b" { "other" } else { name }
}

impl<'a> Signature<'a> {
    pub fn of(op: &'a Described<'a>) -> Signature<'a> {
        let arguments = || op.inputs.iter().filter(|i| i.name != "key");
        // A reduction's dimension reads better by name; that of `gather` stands before the index.
        let alone = arguments().count() == 1;
        let must = |a: &&AttrSchema| !(has_default(a) || alone && a.name == "dim");
        let attributes: Vec<&AttrSchema> = op.attributes.iter().filter(|a| a.kind != AttrKind::Given).collect();
        Signature {
            op,
            required: attributes.iter().copied().filter(must).collect(),
            inputs: arguments().filter(|i| !i.optional).collect(),
            optional_inputs: arguments().filter(|i| i.optional).collect(),
            options: attributes.iter().copied().filter(|a| !must(a)).collect(),
            attributes,
        }
    }

    pub fn has_options(&self) -> bool {
        !self.optional_inputs.is_empty() || !self.options.is_empty()
    }

    /// Whether the options must be given because one of them must.
    fn needs_options(&self) -> bool {
        self.options.iter().any(|a| !has_default(a))
    }

    pub fn options_name(&self) -> String {
        format!("{}Options", pascal(self.op.name))
    }

    /// Names of everything that the options object may hold.
    pub fn option_names(&self) -> Vec<String> {
        let inputs = self.optional_inputs.iter().map(|i| camel(i.name));
        inputs.chain(self.options.iter().map(|a| camel(a.name))).collect()
    }

    /// Positional arguments in order: name, type, documentation.
    fn positional(&self) -> Vec<(String, &'static str, &'a str)> {
        let input = |i: &&'a InputSchema| {
            (camel(i.name), if i.variadic { "readonly TensorLike[]" } else { "TensorLike" }, i.doc)
        };
        let mut out: Vec<_> = self.inputs.iter().take(1).map(input).collect();
        out.extend(self.required.iter().map(|a| (camel(a.name), kind_type(a.kind), a.doc)));
        out.extend(self.inputs.iter().skip(1).map(input));
        out
    }

    /// The parameter list; a method's has no first input and takes what the op calls `b` as `other`.
    pub fn parameters(&self, method: bool) -> String {
        let mut parts: Vec<String> = self
            .positional()
            .into_iter()
            .skip(usize::from(method))
            .map(|(name, ty, _)| format!("{}: {ty}", if method { other(&name) } else { &name }))
            .collect();
        if self.has_options() {
            let left_out = !self.needs_options();
            parts.push(format!("options{}: {}", if method && left_out { "?" } else { "" }, self.options_name()));
            if !method
                && left_out
                && let Some(last) = parts.last_mut()
            {
                last.push_str(" = NONE");
            }
        }
        parts.join(", ")
    }

    /// The arguments with which a method calls the function.
    pub fn arguments(&self) -> String {
        let positional = self.positional().into_iter().enumerate();
        let mut names: Vec<String> =
            positional.map(|(i, (name, _, _))| if i == 0 { "this" } else { other(&name) }.to_owned()).collect();
        if self.has_options() {
            names.push("options".to_owned());
        }
        names.join(", ")
    }

    pub fn result(&self) -> String {
        match self.op.outputs {
            1 => "Tensor".to_owned(),
            n => format!("[{}]", vec!["Tensor"; n].join(", ")),
        }
    }

    /// The interface of the options, if there are any.
    pub fn write_options(&self, out: &mut String) {
        if !self.has_options() {
            return;
        }
        let name = camel(self.op.name);
        let _ = writeln!(out, "\n/** Options of {{@link {name}}}. */\nexport interface {} {{", self.options_name());
        for input in &self.optional_inputs {
            write_comment(out, "  ", &[input.doc.trim().to_owned()]);
            let _ = writeln!(out, "  {}?: TensorLike | null | undefined", camel(input.name));
        }
        for attribute in &self.options {
            let doc = attribute.doc.trim();
            let text = match default_text(attribute) {
                Some(default) => format!("{doc} Default {default}."),
                None => doc.to_owned(),
            };
            write_comment(out, "  ", &[text.trim().to_owned()]);
            let (name, ty) = (camel(attribute.name), kind_type(attribute.kind));
            let _ = if has_default(attribute) {
                writeln!(out, "  {name}?: {ty} | undefined")
            } else {
                writeln!(out, "  {name}: {ty}")
            };
        }
        out.push_str("}\n");
    }
}

/// The op's documentation, with its parameters where `parameters` asks for them.
pub fn write_doc(out: &mut String, op: &Described<'_>, indent: &str, parameters: bool) {
    let doc = renamed(op.doc, op);
    let mut paragraphs: Vec<String> =
        doc.trim().split("\n\n").map(|p| p.replace('\n', " ").trim().to_owned()).collect();
    if parameters {
        let positional = Signature::of(op).positional();
        let told: Vec<String> = positional
            .into_iter()
            .filter(|(_, _, doc)| !doc.trim().is_empty())
            .map(|(name, _, doc)| format!("@param {name} {}", doc.trim()))
            .collect();
        if !told.is_empty() {
            paragraphs.push(String::new());
            paragraphs.extend(told);
        }
    }
    write_comment(out, indent, &paragraphs);
}

/// `doc` with the names of inputs and attributes as TypeScript spells them.
fn renamed(doc: &str, op: &Described<'_>) -> String {
    let names = op.inputs.iter().map(|i| i.name).chain(op.attributes.iter().map(|a| a.name));
    names.filter(|name| name.contains('_')).fold(doc.to_owned(), |text, name| text.replace(name, &camel(name)))
}

/// A doc comment; an empty paragraph starts the list of `@param` lines.
fn write_comment(out: &mut String, indent: &str, paragraphs: &[String]) {
    let [only] = paragraphs else { return write_block(out, indent, paragraphs) };
    if indent.len() + only.chars().count() + 8 <= WIDTH {
        if !only.is_empty() {
            let _ = writeln!(out, "{indent}/** {} */", only.replace("*/", "* /"));
        }
    } else {
        write_block(out, indent, paragraphs);
    }
}

fn write_block(out: &mut String, indent: &str, paragraphs: &[String]) {
    let _ = writeln!(out, "{indent}/**");
    let mut tags = false;
    for (i, paragraph) in paragraphs.iter().enumerate() {
        if i > 0 && !tags {
            let _ = writeln!(out, "{indent} *");
        }
        if paragraph.is_empty() {
            tags = true;
            continue;
        }
        let mut line = format!("{indent} *");
        for word in paragraph.replace("*/", "* /").split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(out, "{line}");
                line = format!("{indent} *");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "{indent} */");
}
