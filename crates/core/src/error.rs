//! One error type through all layers; its kind becomes the error class in TypeScript.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of mistake or failure this is. `name` is the TypeScript class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    Shape,
    DType,
    Device,
    Argument,
    StaleValue,
    Disposed,
    OutOfMemory,
    DeviceLost,
    Format,
    Data,
    Internal,
}

impl ErrorKind {
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::Shape => "ShapeError",
            ErrorKind::DType => "DTypeError",
            ErrorKind::Device => "DeviceError",
            ErrorKind::Argument => "ArgumentError",
            ErrorKind::StaleValue => "StaleValueError",
            ErrorKind::Disposed => "DisposedError",
            ErrorKind::OutOfMemory => "OutOfMemoryError",
            ErrorKind::DeviceLost => "DeviceLostError",
            ErrorKind::Format => "FormatError",
            ErrorKind::Data => "DataError",
            ErrorKind::Internal => "InternalError",
        }
    }
}

/// An error with the fields that the TypeScript classes carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Fields>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub kind: ErrorKind,
    pub message: String,
    pub op: Option<String>,
    pub argument: Option<String>,
    pub expected: Option<String>,
    pub received: Option<String>,
    pub module_path: Option<String>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(pub fn $name(message: impl Into<String>) -> Error { Error::new(ErrorKind::$kind, message) })*
    };
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Fields {
            kind,
            message: message.into(),
            op: None,
            argument: None,
            expected: None,
            received: None,
            module_path: None,
        }))
    }

    constructors! {
        shape => Shape, dtype => DType, device => Device, argument => Argument, stale => StaleValue,
        disposed => Disposed, out_of_memory => OutOfMemory, device_lost => DeviceLost, format => Format,
        data => Data, internal => Internal,
    }

    /// Names the op, unless a deeper layer has named it already.
    pub fn in_op(mut self, op: &str) -> Error {
        self.0.op.get_or_insert_with(|| op.to_owned());
        self
    }

    pub fn at(mut self, argument: impl Into<String>) -> Error {
        self.0.argument.get_or_insert(argument.into());
        self
    }

    pub fn expected(mut self, what: impl Into<String>) -> Error {
        self.0.expected = Some(what.into());
        self
    }

    pub fn received(mut self, what: impl Into<String>) -> Error {
        self.0.received = Some(what.into());
        self
    }

    pub fn in_module(mut self, path: &str) -> Error {
        if !path.is_empty() {
            self.0.module_path.get_or_insert_with(|| path.to_owned());
        }
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn fields(&self) -> &Fields {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
