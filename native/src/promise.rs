//! Promises that jobs settle from the engine's thread.

use crate::js::Js;
use fovea_core::{Error, Result};
use napi_sys as sys;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError};
use sys::{napi_deferred, napi_env, napi_value};

/// Makes what a promise resolves to, on the thread of its environment.
pub type Delivery = Box<dyn FnOnce(Js) -> Result<napi_value> + Send>;

/// How work behind a promise ended; without a delivery the promise resolves to undefined.
pub type Ending = Result<Option<Delivery>>;

/// A settled promise on its way to its thread.
struct Settled {
    deferred: napi_deferred,
    result: Ending,
}

// SAFETY: the deferred is only used on the environment's own thread; here it just travels.
unsafe impl Send for Settled {}

struct Wake(sys::napi_threadsafe_function);
// SAFETY: thread-safe functions may be called from any thread while they are not released.
unsafe impl Send for Wake {}

#[derive(Default)]
struct Inner {
    /// `None` once the environment is going away: results are dropped then.
    wake: Option<Wake>,
    settled: Vec<Settled>,
}

/// One environment's way of being told that jobs are done.
#[derive(Clone, Default)]
pub struct Promises {
    inner: Arc<Mutex<Inner>>,
    /// Promises not settled yet; the event loop stays alive while there are any. Touched on the JavaScript thread only.
    waiting: Arc<Mutex<usize>>,
}

impl Promises {
    pub fn open(js: Js) -> Result<Promises> {
        let promises = Promises::default();
        let name = js.string("fovea")?;
        let mut wake = null_mut();
        let context = Box::into_raw(Box::new(promises.clone()));
        // SAFETY: all pointers are valid; the context lives until the environment ends.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                js.raw(),
                null_mut(),
                null_mut(),
                name,
                0,
                1,
                context.cast(),
                Some(drop_context),
                context.cast(),
                Some(settle),
                &mut wake,
            )
        };
        if status != sys::Status::napi_ok {
            return Err(Error::internal("the engine can't reach this thread's event loop"));
        }
        // SAFETY: just made, on this thread. Idle, it must not keep the process alive.
        unsafe { sys::napi_unref_threadsafe_function(js.raw(), wake) };
        promises.lock().wake = Some(Wake(wake));
        Ok(promises)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The environment goes away: nothing is delivered any more.
    pub fn close(&self) {
        let mut inner = self.lock();
        if let Some(Wake(wake)) = inner.wake.take() {
            // SAFETY: released once; `None` from here on.
            unsafe {
                sys::napi_release_threadsafe_function(wake, sys::ThreadsafeFunctionReleaseMode::abort);
            }
        }
        inner.settled.clear();
    }

    /// A new promise, and what settles it from any thread.
    pub fn make(&self, js: Js) -> Result<(napi_value, impl FnOnce(Result<()>) + Send + use<>)> {
        let (promise, settle) = self.deliver(js)?;
        Ok((promise, move |result: Result<()>| settle(result.map(|()| None))))
    }

    /// As [`Promises::make`], for a promise with a value.
    pub fn deliver(&self, js: Js) -> Result<(napi_value, impl FnOnce(Ending) + Send + use<>)> {
        let (mut deferred, mut promise) = (null_mut(), null_mut());
        // SAFETY: both places are valid.
        if unsafe { sys::napi_create_promise(js.raw(), &mut deferred, &mut promise) } != sys::Status::napi_ok {
            return Err(Error::internal("a promise could not be made"));
        }
        self.hold(js, 1);
        let ticket = Settled { deferred, result: Ok(None) };
        let inner = self.inner.clone();
        let settle = move |result| {
            let mut ticket = ticket;
            ticket.result = result;
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Wake(wake)) = inner.wake {
                inner.settled.push(ticket);
                // SAFETY: not released, as the lock is held and `wake` is there.
                unsafe {
                    sys::napi_call_threadsafe_function(wake, null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking);
                }
            }
        };
        Ok((promise, settle))
    }

    /// A promise that is settled already.
    pub fn settled(&self, js: Js, result: Result<()>) -> Result<napi_value> {
        let (mut deferred, mut promise) = (null_mut(), null_mut());
        // SAFETY: both places are valid.
        if unsafe { sys::napi_create_promise(js.raw(), &mut deferred, &mut promise) } != sys::Status::napi_ok {
            return Err(Error::internal("a promise could not be made"));
        }
        conclude(js, deferred, result.map(|()| None));
        Ok(promise)
    }

    /// Counts open promises; the first keeps the event loop alive, the last lets it go.
    fn hold(&self, js: Js, change: isize) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let was = *waiting;
        *waiting = was.saturating_add_signed(change);
        let now = *waiting;
        drop(waiting);
        if let Some(Wake(wake)) = self.lock().wake {
            // SAFETY: on the environment's thread, not released.
            unsafe {
                match (was, now) {
                    (0, 1..) => {
                        sys::napi_ref_threadsafe_function(js.raw(), wake);
                    }
                    (1.., 0) => {
                        sys::napi_unref_threadsafe_function(js.raw(), wake);
                    }
                    _ => {}
                }
            }
        }
    }
}

fn conclude(js: Js, deferred: napi_deferred, result: Ending) {
    let value = result.and_then(|delivery| delivery.map_or_else(|| js.undefined(), |make| make(js)));
    // SAFETY: the deferred is live and concluded once.
    unsafe {
        match value {
            Ok(value) => {
                sys::napi_resolve_deferred(js.raw(), deferred, value);
            }
            Err(error) => {
                if let Ok(value) = js.error(&error) {
                    sys::napi_reject_deferred(js.raw(), deferred, value);
                }
            }
        }
    }
}

/// On the environment's thread: settles what has come.
unsafe extern "C" fn settle(env: napi_env, _: napi_value, context: *mut c_void, _: *mut c_void) {
    if env.is_null() {
        return;
    }
    // SAFETY: the context is the box of `open`, dropped only after the last call.
    let promises = unsafe { &*context.cast::<Promises>() };
    let settled = std::mem::take(&mut promises.lock().settled);
    let js = Js::new(env);
    for Settled { deferred, result } in settled {
        promises.hold(js, -1);
        conclude(js, deferred, result);
    }
}

unsafe extern "C" fn drop_context(_: napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: the box of `open`, dropped once when the thread-safe function is gone.
    drop(unsafe { Box::from_raw(data.cast::<Promises>()) });
}
