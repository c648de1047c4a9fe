//! A thin, checked layer over Node-API.

use crate::wording::worded;
use fovea_core::{Error, Result};
use napi_sys as sys;
use std::ffi::CString;
use std::ptr::null_mut;
use sys::{napi_env, napi_value};

/// A Node environment, on its own thread.
#[derive(Clone, Copy)]
pub struct Js {
    env: napi_env,
}

/// The memory of a typed array, borrowed for one call.
pub struct Bytes {
    pub kind: i32,
    pub length: usize,
    pub data: *mut u8,
    pub bytes: usize,
}

fn check(status: sys::napi_status, what: &str) -> Result<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Error::argument(format!("{what} (Node-API status {status})")))
    }
}

macro_rules! out {
    ($call:expr, $what:expr) => {{
        let mut out = null_mut();
        // SAFETY: the environment is live, this is its thread, and `out` is a valid place for the result.
        check(unsafe { $call(&mut out) }, $what)?;
        Ok(out)
    }};
}

impl Js {
    pub const fn new(env: napi_env) -> Js {
        Js { env }
    }

    pub const fn raw(self) -> napi_env {
        self.env
    }

    pub fn undefined(self) -> Result<napi_value> {
        out!(|o| sys::napi_get_undefined(self.env, o), "undefined")
    }

    pub fn number(self, value: f64) -> Result<napi_value> {
        out!(|o| sys::napi_create_double(self.env, value, o), "a number could not be made")
    }

    pub fn int(self, value: i32) -> Result<napi_value> {
        out!(|o| sys::napi_create_int32(self.env, value, o), "a number could not be made")
    }

    pub fn bool(self, value: bool) -> Result<napi_value> {
        out!(|o| sys::napi_get_boolean(self.env, value, o), "a boolean could not be made")
    }

    pub fn string(self, value: &str) -> Result<napi_value> {
        out!(
            |o| sys::napi_create_string_utf8(self.env, value.as_ptr().cast(), value.len() as isize, o),
            "a string could not be made"
        )
    }

    pub fn object(self) -> Result<napi_value> {
        out!(|o| sys::napi_create_object(self.env, o), "an object could not be made")
    }

    pub fn array(self, items: &[napi_value]) -> Result<napi_value> {
        let array =
            out!(|o| sys::napi_create_array_with_length(self.env, items.len(), o), "an array could not be made")?;
        for (i, &item) in items.iter().enumerate() {
            // SAFETY: `array` and `item` are live values of this environment.
            check(unsafe { sys::napi_set_element(self.env, array, i as u32, item) }, "an array could not be filled")?;
        }
        Ok(array)
    }

    pub fn numbers(self, items: impl IntoIterator<Item = f64>) -> Result<napi_value> {
        let items = items.into_iter().map(|v| self.number(v)).collect::<Result<Vec<_>>>()?;
        self.array(&items)
    }

    pub fn strings(self, items: &[String]) -> Result<napi_value> {
        let items = items.iter().map(|v| self.string(v)).collect::<Result<Vec<_>>>()?;
        self.array(&items)
    }

    pub fn set(self, object: napi_value, name: &str, value: napi_value) -> Result<()> {
        let name = CString::new(name).map_err(|_| Error::internal("a property name holds a NUL"))?;
        // SAFETY: all values are live in this environment and the name is NUL-terminated.
        check(
            unsafe { sys::napi_set_named_property(self.env, object, name.as_ptr(), value) },
            "a property could not be set",
        )
    }

    /// A fresh typed array of `Float64Array` or `Uint8Array` kind and its memory.
    pub fn typed_array(self, kind: i32, length: usize, element: usize) -> Result<(napi_value, *mut u8)> {
        let mut data = null_mut();
        let buffer: napi_value = out!(
            |o| sys::napi_create_arraybuffer(self.env, length * element, &mut data, o),
            "an array buffer could not be made"
        )?;
        let array = out!(
            |o| sys::napi_create_typedarray(self.env, kind, length, buffer, 0, o),
            "a typed array could not be made"
        )?;
        Ok((array, data.cast()))
    }

    pub fn to_number(self, value: napi_value, name: &str) -> Result<f64> {
        let mut out = 0.0;
        // SAFETY: `value` is live, `out` a valid place.
        if unsafe { sys::napi_get_value_double(self.env, value, &mut out) } == sys::Status::napi_ok {
            Ok(out)
        } else {
            Err(Error::argument(format!("{name} must be a number")).at(name).expected("a number"))
        }
    }

    pub fn to_u32(self, value: napi_value, name: &str) -> Result<u32> {
        let v = self.to_number(value, name)?;
        if v.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&v) {
            Ok(v as u32)
        } else {
            Err(Error::argument(format!("{name} must be an integer from 0 to 2^32 − 1, got {v}"))
                .at(name)
                .expected("an unsigned 32-bit integer")
                .received(v.to_string()))
        }
    }

    pub fn to_u64(self, value: napi_value, name: &str) -> Result<u64> {
        let v = self.to_number(value, name)?;
        if v.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&v) {
            Ok(v as u64)
        } else {
            Err(Error::argument(format!("{name} must be an integer from 0 to 2^53, got {v}"))
                .at(name)
                .expected("an integer from 0 to 2^53")
                .received(v.to_string()))
        }
    }

    pub fn to_bool(self, value: napi_value, name: &str) -> Result<bool> {
        let mut out = false;
        // SAFETY: `value` is live, `out` a valid place.
        if unsafe { sys::napi_get_value_bool(self.env, value, &mut out) } == sys::Status::napi_ok {
            Ok(out)
        } else {
            Err(Error::argument(format!("{name} must be a boolean")).at(name).expected("a boolean"))
        }
    }

    pub fn to_string(self, value: napi_value, name: &str) -> Result<String> {
        let wrong = || Error::argument(format!("{name} must be a string")).at(name).expected("a string");
        let mut length = 0;
        // SAFETY: a null buffer asks for the length only.
        let status = unsafe { sys::napi_get_value_string_utf8(self.env, value, null_mut(), 0, &mut length) };
        if status != sys::Status::napi_ok {
            return Err(wrong());
        }
        let mut bytes = vec![0u8; length + 1];
        // SAFETY: `bytes` has room for the string and its NUL.
        let status = unsafe {
            sys::napi_get_value_string_utf8(self.env, value, bytes.as_mut_ptr().cast(), length + 1, &mut length)
        };
        if status != sys::Status::napi_ok {
            return Err(wrong());
        }
        bytes.truncate(length);
        String::from_utf8(bytes).map_err(|_| wrong())
    }

    pub fn to_list(self, value: napi_value, name: &str) -> Result<Vec<napi_value>> {
        let mut length = 0;
        // SAFETY: `value` is live; a value that is no array gives an error status.
        if unsafe { sys::napi_get_array_length(self.env, value, &mut length) } != sys::Status::napi_ok {
            return Err(Error::argument(format!("{name} must be an array")).at(name).expected("an array"));
        }
        (0..length)
            .map(|i| out!(|o| sys::napi_get_element(self.env, value, i, o), "an array could not be read"))
            .collect()
    }

    pub fn to_u32s(self, value: napi_value, name: &str) -> Result<Vec<u32>> {
        self.to_list(value, name)?.into_iter().map(|v| self.to_u32(v, name)).collect()
    }

    pub fn to_strings(self, value: napi_value, name: &str) -> Result<Vec<String>> {
        self.to_list(value, name)?.into_iter().map(|v| self.to_string(v, name)).collect()
    }

    /// The memory of a typed array; valid until control goes back to JavaScript.
    pub fn to_bytes(self, value: napi_value, name: &str) -> Result<Bytes> {
        let (mut kind, mut length, mut data) = (0, 0, null_mut());
        let (mut buffer, mut offset) = (null_mut(), 0);
        // SAFETY: all out-pointers are valid; a value that is no typed array gives an error status.
        let status = unsafe {
            sys::napi_get_typedarray_info(self.env, value, &mut kind, &mut length, &mut data, &mut buffer, &mut offset)
        };
        if status != sys::Status::napi_ok {
            return Err(Error::argument(format!("{name} must be a typed array")).at(name).expected("a typed array"));
        }
        let element = match kind {
            0..=2 => 1,
            3 | 4 => 2,
            5..=7 => 4,
            _ => 8,
        };
        Ok(Bytes { kind, length, data: data.cast(), bytes: length * element })
    }

    /// A weak reference, which doesn't keep its object alive.
    pub fn weak(self, object: napi_value) -> Result<sys::napi_ref> {
        out!(|o| sys::napi_create_reference(self.env, object, 0, o), "target must be an object")
    }

    /// Whether a weak reference's object has been collected.
    pub fn is_collected(self, reference: sys::napi_ref) -> bool {
        let mut value = null_mut();
        // SAFETY: the reference is live until `forget_weak`.
        let status = unsafe { sys::napi_get_reference_value(self.env, reference, &mut value) };
        status == sys::Status::napi_ok && value.is_null()
    }

    pub fn forget_weak(self, reference: sys::napi_ref) {
        // SAFETY: each reference is deleted once, by the handle that owned it.
        unsafe { sys::napi_delete_reference(self.env, reference) };
    }

    /// Tells the collector about `change` more (or fewer) bytes outside its heap.
    pub fn adjust_external_memory(self, change: i64) {
        let mut total = 0;
        // SAFETY: `total` is a valid place.
        unsafe { sys::napi_adjust_external_memory(self.env, change, &mut total) };
    }

    /// A JavaScript `Error` with the error's fields.
    pub fn error(self, error: &Error) -> Result<napi_value> {
        let fields = worded(error.fields());
        let message = self.string(&fields.message)?;
        let value: napi_value =
            out!(|o| sys::napi_create_error(self.env, null_mut(), message, o), "an error could not be made")?;
        let object = self.object()?;
        self.set(object, "kind", self.string(fields.kind.name())?)?;
        self.set(object, "message", message)?;
        let optional = [
            ("op", &fields.op),
            ("argument", &fields.argument),
            ("expected", &fields.expected),
            ("received", &fields.received),
            ("modulePath", &fields.module_path),
        ];
        for (name, text) in optional {
            if let Some(text) = text {
                self.set(object, name, self.string(text)?)?;
            }
        }
        self.set(value, "fields", object)?;
        Ok(value)
    }

    pub fn throw(self, error: &Error) {
        if let Ok(value) = self.error(error) {
            // SAFETY: `value` is a live error object.
            unsafe { sys::napi_throw(self.env, value) };
        }
    }
}
