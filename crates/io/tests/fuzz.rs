//! Every decoder on damaged files: none may panic, take long, or allocate past the bound of `fovea_io`.
//!
//! Real files (test/reference/formats) are mutated by a seeded generator. `replay` runs the kept corpus and a few
//! mutations of each file; the tests in `long` run for minutes: FOVEA_FUZZ_SECONDS for each decoder, 300 by default.
//! A finding is written to `crates/io/tests/corpus/<decoder>/`, where it stays once it is mended.

use fovea_core::Result;
use fovea_io::image::Options;
use fovea_io::{archive, idx, image, npy, npz, pth, safetensors};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Counts what a thread holds and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends has no counters any more, and nothing that they would be asked for.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's obligations are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `at` came from `System` with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A decoder and the real files to start from.
struct Target {
    name: &'static str,
    decode: fn(&[u8]) -> Result<()>,
    seeds: &'static [&'static str],
}

const PIXELS: usize = 1 << 20;

fn read_all(raw: &[u8]) -> Result<()> {
    let mut archive = archive::Archive::open(raw)?;
    for name in archive.names()? {
        drop(archive.read(&name)?);
    }
    Ok(())
}

const TARGETS: [Target; 7] = [
    Target {
        name: "safetensors",
        decode: |raw| safetensors::decode(raw, &mut |_| Ok(())).map(|_| ()),
        seeds: &["halves.safetensors"],
    },
    Target { name: "npy", decode: |raw| npy::decode(raw, "").map(|_| ()), seeds: &["fortran.npy", "objects.npy"] },
    Target { name: "npz", decode: |raw| npz::decode(raw, &mut |_| Ok(())), seeds: &["stored.npz", "compressed.npz"] },
    Target {
        name: "pth",
        decode: |raw| pth::decode(raw, &mut |_| Ok(())),
        seeds: &["model.pth", "checkpoint.pth", "views.pth", "bare.pth", "legacy.pth", "hostile.pth"],
    },
    Target { name: "zip", decode: read_all, seeds: &["compressed.npz", "bare.pth"] },
    Target { name: "idx", decode: |raw| idx::decode(raw).map(|_| ()), seeds: &["labels.idx", "labels.idx.gz"] },
    Target {
        name: "image",
        decode: |raw| image::decode(raw, &Options { channels: 3, size: Some((8, 8)), max_pixels: PIXELS }).map(|_| ()),
        seeds: &[
            "rgb.png",
            "palette.png",
            "bits.png",
            "deep.png",
            "alpha.png",
            "baseline.jpg",
            "progressive.jpg",
            "grey.jpg",
            "cmyk.jpg",
            "grey.pgm",
        ],
    },
];

/// What no decoder may take, twice in a row: once may be a machine that stood still.
const SLOW: Duration = Duration::from_secs(10);

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn corpus(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target.name)
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = project().join("test/reference/formats");
    let real = target.seeds.iter().map(|name| folder.join(name));
    let kept = fs::read_dir(corpus(target)).into_iter().flatten().flatten().map(|entry| entry.path());
    real.chain(kept).map(|path| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).collect()
}

/// What is wrong with how a decoder takes these bytes.
fn fault(target: &Target, raw: &[u8]) -> Option<String> {
    fault_within(target, raw, SLOW)
}

fn fault_within(target: &Target, raw: &[u8], slow: Duration) -> Option<String> {
    let before = HELD.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let timed = || {
        let began = Instant::now();
        let outcome = catch_unwind(|| drop((target.decode)(raw)));
        (outcome, began.elapsed())
    };
    let (outcome, mut took) = timed();
    if outcome.is_ok() && took > slow {
        took = timed().1;
    }
    let peak = PEAK.with(Cell::get) - before;
    // What it may expand to, as tensors (four bytes for one of a half) beside the compressed bytes; pixels as RGBA twice.
    let allowed = 4 * archive::most(raw.len()) as isize;
    match outcome {
        Err(_) => Some("it panics".to_owned()),
        Ok(()) if took > slow => Some(format!("it takes {took:?}")),
        Ok(()) if peak > allowed => Some(format!("it allocates {peak} bytes for a file of {}", raw.len())),
        Ok(()) => None,
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Numbers at which sizes and counts go wrong.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut raw = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        if raw.is_empty() {
            break;
        }
        let at = random.below(raw.len());
        match random.below(7) {
            0 => raw[at] ^= 1 << random.below(8),
            1 => raw[at] = random.next() as u8,
            2 => raw.truncate(at),
            3 => {
                let edge = EDGES[random.below(EDGES.len())];
                let width = [1, 2, 4, 8][random.below(4)].min(raw.len() - at);
                let bytes = if random.below(2) == 0 { edge.to_le_bytes() } else { edge.to_be_bytes() };
                let from = if random.below(2) == 0 { 0 } else { 8 - width };
                raw[at..at + width].copy_from_slice(&bytes[from..from + width]);
            }
            4 => {
                let end = (at + random.below(64)).min(raw.len());
                raw.drain(at..end);
            }
            5 => {
                let end = (at + random.below(64)).min(raw.len());
                let piece = raw[at..end].to_vec();
                let to = random.below(raw.len());
                raw.splice(to..to, piece);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                raw.truncate(at);
                raw.extend_from_slice(&other[from..]);
            }
        }
    }
    raw
}

/// Mutates until the time or the count is up; a finding is kept and ends the test.
fn fuzz(target: &Target, seed: u64, until: impl Fn(u64) -> bool) {
    let seeds = seeds(target);
    let mut random = Random(seed);
    let mut rounds = 0;
    while until(rounds) {
        rounds += 1;
        let raw = mutate(&mut random, &seeds);
        if let Some(what) = fault(target, &raw) {
            let folder = corpus(target);
            fs::create_dir_all(&folder).expect("the corpus can be written");
            let path = folder.join(format!("{seed}-{rounds}"));
            fs::write(&path, &raw).expect("the corpus can be written");
            panic!("{}: {what} (kept as {})", target.name, path.display());
        }
    }
    println!("{}: {rounds} files without a finding", target.name);
}

#[test]
fn planted_faults_are_found() {
    let target = |decode| Target { name: "planted", decode, seeds: &[] };
    assert_eq!(fault(&target(|_| panic!("on purpose")), b""), Some("it panics".to_owned()));
    let greedy = |_: &[u8]| {
        drop(std::hint::black_box(vec![1u8; 300 << 20]));
        Ok(())
    };
    assert!(fault(&target(greedy), b"").is_some_and(|what| what.starts_with("it allocates")));
    let lazy = |_: &[u8]| {
        std::thread::sleep(Duration::from_millis(30));
        Ok(())
    };
    let found = fault_within(&target(lazy), b"", Duration::from_millis(20));
    assert!(found.is_some_and(|what| what.starts_with("it takes")));
    assert_eq!(fault(&target(|_| Ok(())), b""), None);
}

#[test]
fn replay() {
    for target in &TARGETS {
        for raw in seeds(target) {
            assert_eq!(fault(target, &raw), None, "{}", target.name);
        }
        fuzz(target, 1, |rounds| rounds < 20_000);
    }
}

mod long {
    use super::*;

    fn run(name: &str) {
        let seconds = std::env::var("FOVEA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
        let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
        let end = Instant::now() + Duration::from_secs(seconds);
        fuzz(target, u64::from(std::process::id()), |_| Instant::now() < end);
    }

    macro_rules! targets {
        ($($name:ident),*) => {
            $(#[test]
            #[ignore = "takes minutes: npm run test:long"]
            fn $name() {
                run(stringify!($name));
            })*
        };
    }

    targets!(safetensors, npy, npz, pth, zip, idx, image);
}
