use fovea_testkit::samples::*;
use fovea_testkit::values::from_bytes;
use std::sync::Arc;
use fovea_core::*;
use fovea_core::device::*;
use fovea_core::plan::*;
struct Spy(fovea_cpu::runtime::CpuRuntime);
impl Runtime for Spy {
    fn device(&self) -> Device { Device::Cpu }
    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        for (s, l) in plan.steps.iter().zip(&plan.labels) { if let Step::Loop(n) = s {
            println!("{l} {:?} red {:?}", n.shape, n.reductions);
            for o in &n.operands { println!("   op {o:?} {:?}", if let Operand::Tensor{slot,..}=o {Some(plan.slots[*slot])} else {None}); }
            for o in &n.program.instrs { println!("   {o:?}"); }
            println!("   out {:?}", n.program.outputs);
            for o in &n.stores { println!("   st {o:?} {:?}", plan.slots[o.slot]); } } else { println!("{l}"); } }
        println!("donations {:?}", plan.donations);
        self.0.compile(plan)
    }
    fn upload(&self, b: &[u8], d: DType) -> Result<BufferRef> { self.0.upload(b, d) }
    fn read(&self, b: &BufferRef, d: DType, l: &Layout, t: &mut [u8]) -> Result<()> { self.0.read(b, d, l, t) }
}
fn main() {
    let cases = Case::all(&fovea_ops::all());
    let case = cases.iter().find(|c| c.op == "layer_norm" && c.index == 1 && c.float == fovea_core::DType::F64).unwrap();
    let cpu: Arc<dyn Runtime> = Arc::new(fovea_cpu::runtime::CpuRuntime);
    let spy: Arc<dyn Runtime> = Arc::new(Spy(fovea_cpu::runtime::CpuRuntime));
    for order in 0..3 {
    let a = run(&cpu, case, Mode::PLAIN, order).unwrap();
    let b = run(if order == 1 {&spy} else {&cpu}, case, Mode::FUSED, order).unwrap();
    let (x, y) = (from_bytes(fovea_core::DType::F64, &a.values[0].1), from_bytes(fovea_core::DType::F64, &b.values[0].1));
    let d: Vec<_> = (0..x.len()).filter(|&i| x[i] != y[i]).map(|i| (i / 37, i % 37)).collect();
    println!("{order} {d:?}");
    }
}
