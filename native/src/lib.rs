//! The Node addon. What it offers is described in `docs/native-boundary.md`.
//!
//! It talks Node-API directly: hot calls go through one raw dispatch, and every entry point catches panics.

mod dispatch;
mod engine;
mod environment;
mod files;
mod functions;
mod gradients;
mod handles;
mod js;
mod pictures;
mod prepared;
mod promise;
mod rows;
mod steps;
mod values;
mod wording;

use environment::Environment;
use napi_sys::{napi_env, napi_value};

/// Node calls this once for each environment (main thread or worker) that loads the addon.
///
/// # Safety
/// Only Node calls it, with a live environment on its own thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(env: napi_env, exports: napi_value) -> napi_value {
    use std::sync::Once;
    static SYMBOLS: Once = Once::new();
    // SAFETY: the library handle is the process itself; keeping it loaded forever is what is wanted.
    SYMBOLS.call_once(|| std::mem::forget(unsafe { napi_sys::setup() }));
    let js = js::Js::new(env);
    if let Err(error) = Environment::open(js, exports) {
        js.throw(&error);
    }
    exports
}
