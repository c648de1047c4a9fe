//! S23: hand-written kernels with companions for their backward, and values with several outputs.

use super::{MANY, numbers, session};
use fovea_core::device::CpuArgs;
use fovea_core::graph::primitives::Map;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Saved, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::scalar::build;
use fovea_core::{DType, Op, Result, attributes};
use fovea_testkit::Session;

attributes! {
    /// x³ and the sign of x as i32, by hand.
    pub struct Cube {}
}
attributes! {
    /// 3 x² g, by hand.
    pub struct CubeBackward {}
}

const X: InputSchema = InputSchema::required("x", "The value.");

impl Op for Cube {
    const NAME: &'static str = "test_cube";
    const DOC: &'static str = "x³ and the sign of x.";
    const INPUTS: &'static [InputSchema] = &[X];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok([inputs[0], TensorType { dtype: DType::I32, ..inputs[0] }].into_iter().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }
    fn saved(&self) -> Saved {
        Saved::INPUTS
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let x = cx.input(0);
        let grad = cx.apply(CubeBackward {}, &[x, g])?;
        cx.set(0, grad);
        Ok(())
    }
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let at: Vec<usize> = fovea_testkit::reference::walk(&args.inputs[0].layout).collect();
        let x = args.inputs[0].elements::<f64>();
        if let Some(cubes) = &mut args.outputs[0] {
            cubes.elements::<f64>().iter_mut().zip(&at).for_each(|(y, &i)| *y = x[i] * x[i] * x[i]);
        }
        if let Some(signs) = &mut args.outputs[1] {
            signs.elements::<i32>().iter_mut().zip(&at).for_each(|(y, &i)| *y = x[i].signum() as i32);
        }
        Ok(())
    }
    fn samples() -> Vec<Sample<Cube>> {
        Vec::new()
    }
}

impl Op for CubeBackward {
    const NAME: &'static str = "test_cube_backward";
    const DOC: &'static str = "3 x² g.";
    const INPUTS: &'static [InputSchema] = &[X, InputSchema::required("g", "The cotangent.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok([inputs[0]].into_iter().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }
    fn saved(&self) -> Saved {
        Saved::INPUTS
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        cx.through_decomposition()
    }
    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let map = Map::new("plain", build(&[DType::F64; 2], |v| vec![3.0 * (&v[0] * &v[0]) * &v[1]]));
        Ok(Some(vec![cx.apply_dyn(map, inputs)?]))
    }
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let at = |i: usize| fovea_testkit::reference::walk(&args.inputs[i].layout).collect::<Vec<_>>();
        let (x, g) = (args.inputs[0].elements::<f64>(), args.inputs[1].elements::<f64>());
        let (i, j) = (at(0), at(1));
        if let Some(out) = &mut args.outputs[0] {
            for (k, y) in out.elements::<f64>().iter_mut().enumerate() {
                *y = 3.0 * x[i[k]] * x[i[k]] * g[j[k]];
            }
        }
        Ok(())
    }
    fn samples() -> Vec<Sample<CubeBackward>> {
        Vec::new()
    }
}

attributes! {
    /// |x| and its sign as i32, by hand; the gradient reads the sign.
    pub struct SignSaver {}
}

impl Op for SignSaver {
    const NAME: &'static str = "test_sign_saver";
    const DOC: &'static str = "|x| and the sign of x.";
    const INPUTS: &'static [InputSchema] = &[X];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Op::infer(&Cube {}, inputs)
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }
    fn saved(&self) -> Saved {
        Saved { inputs: 0, outputs: 1 << 1 }
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let sign = cx.output(1);
        let map = Map::new("towards", build(&[DType::I32, DType::F64], |v| vec![v[0].cast(DType::F64) * &v[1]]));
        let grad = cx.apply_dyn(map, &[sign, g])?;
        cx.set(0, grad);
        Ok(())
    }
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let at: Vec<usize> = fovea_testkit::reference::walk(&args.inputs[0].layout).collect();
        let x = args.inputs[0].elements::<f64>();
        if let Some(sizes) = &mut args.outputs[0] {
            sizes.elements::<f64>().iter_mut().zip(&at).for_each(|(y, &i)| *y = x[i].abs());
        }
        if let Some(signs) = &mut args.outputs[1] {
            signs.elements::<i32>().iter_mut().zip(&at).for_each(|(y, &i)| *y = x[i].signum() as i32);
        }
        Ok(())
    }
    fn samples() -> Vec<Sample<SignSaver>> {
        Vec::new()
    }
}

fn cube(s: &mut Session, x: Val) -> (Val, Val) {
    let op: std::sync::Arc<dyn fovea_core::op::DynOp> = std::sync::Arc::new(Cube {});
    let outs = s.record_dyn(&op, &[x]).unwrap();
    (outs[0], outs[1])
}

fn leaf(s: &mut Session, values: &[f64]) -> Val {
    let x = s.leaf(DType::F64, [values.len()], values).unwrap();
    s.set_requires_grad(x, true).unwrap();
    x
}

#[test]
fn s23_a_companions_backward_is_differentiated_through_its_decomposition() {
    let mut s = session();
    let x = leaf(&mut s, &[-2.0, 0.5, 3.0]);
    let (y, _) = cube(&mut s, x);
    let total = s.sum(y).unwrap();
    let first = s.grad(&[total], &[None], &[x], true).unwrap()[0].unwrap();
    assert_eq!(s.read(first).unwrap(), [12.0, 0.75, 27.0]);
    let total = s.sum(first).unwrap();
    let second = s.grad(&[total], &[None], &[x], true).unwrap()[0].unwrap();
    assert_eq!(s.read(second).unwrap(), [-12.0, 3.0, 18.0]);
    let total = s.sum(second).unwrap();
    let third = s.grad(&[total], &[None], &[x], false).unwrap()[0].unwrap();
    assert_eq!(s.read(third).unwrap(), [6.0, 6.0, 6.0]);
}

#[test]
fn s23_jvp_is_the_vjp_of_the_vjp() {
    let mut s = session();
    let x = leaf(&mut s, &[-2.0, 0.5, 3.0]);
    let (y, _) = cube(&mut s, x);
    let u = leaf(&mut s, &[1.0, 1.0, 1.0]);
    let pulled = s.grad(&[y], &[Some(u)], &[x], true).unwrap()[0].unwrap();
    let tangent = s.leaf(DType::F64, [3], &[1.0, 10.0, 100.0]).unwrap();
    let pushed = s.grad(&[pulled], &[Some(tangent)], &[u], false).unwrap()[0].unwrap();
    assert_eq!(s.read(pushed).unwrap(), [12.0, 7.5, 2700.0]);
}

#[test]
fn s23_kernels_get_a_mask_of_the_outputs_wanted() {
    for wanted in 0..2 {
        let mut s = session();
        s.module_depth = 1;
        let x = s.leaf(DType::F64, [MANY], &numbers(MANY)).unwrap();
        let (y, sign) = cube(&mut s, x);
        let used = s.map(&[[y, sign][wanted]], |v| &v[0] + &v[0]).unwrap();
        s.run(&[used]).unwrap();
        assert_eq!((s.is_there(y), s.is_there(sign)), (false, false));
        let double = |v: f64| 2.0 * if wanted == 0 { v * v * v } else { v.signum() };
        let want: Vec<f64> = numbers(MANY).into_iter().map(double).collect();
        assert_eq!(s.read(used).unwrap(), want);
    }
}

/// One of two outputs is saved for a gradient, the variable that it was computed from moves on, and that output is
/// used: the other one is neither there nor can it be computed.
#[test]
fn s8_one_saved_output_of_several_is_used_without_the_other() {
    for saved in 0..2 {
        let mut s = session();
        s.module_depth = 1;
        let x = leaf(&mut s, &numbers(MANY));
        let outs = cube(&mut s, x);
        let outs = [outs.0, outs.1];
        if saved == 0 {
            // The product saves it.
            let pairs = s.mul(outs[0], x).unwrap();
            let loss = s.sum(pairs).unwrap();
            s.read(loss).unwrap();
            assert_eq!(outs.map(|o| s.is_there(o)), [true, false]);
        } else {
            s.run(&[outs[1]]).unwrap();
        }
        let used = s.map(&[outs[saved]], |v| &v[0] + &v[0]).unwrap();
        let double = |v: f64| 2.0 * if saved == 0 { v * v * v } else { v.signum() };
        let want: Vec<f64> = numbers(MANY).into_iter().map(double).collect();
        assert_eq!(s.read(used).unwrap(), want);
        let before = s.counters.steps;
        let again = s.map(&[outs[saved]], |v| &v[0] + &v[0]).unwrap();
        assert_eq!(s.read(again).unwrap(), want);
        assert_eq!(s.counters.steps - before, 1, "the other output is not computed to find this one");
    }
}

/// The f64 output is missing and the i32 one is there: an external of half the bytes.
#[test]
fn s9_a_saved_output_of_a_smaller_dtype_is_an_external_of_its_own_size() {
    let mut s = session();
    s.module_depth = 1;
    let x = leaf(&mut s, &numbers(MANY));
    let op: std::sync::Arc<dyn fovea_core::op::DynOp> = std::sync::Arc::new(SignSaver {});
    let outs = s.record_dyn(&op, &[x]).unwrap();
    let more = s.map(&[outs[0]], |v| &v[0] + 1.0).unwrap();
    let loss = s.sum(more).unwrap();
    s.read(loss).unwrap();
    assert_eq!([s.is_there(outs[0]), s.is_there(outs[1])], [false, true]);
    let grads = s.grad(&[loss], &[None], &[x], false).unwrap();
    let signs: Vec<f64> = numbers(MANY).into_iter().map(f64::signum).collect();
    assert_eq!(s.read(grads[0].unwrap()).unwrap(), signs);
}
