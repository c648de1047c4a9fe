//! Strided copies.

use fovea_core::Layout;

/// Copies `layout`'s elements of `size` bytes, in row-major order, from `source` into `target`.
pub(super) fn gather(source: &[u8], size: usize, layout: &Layout, target: &mut [u8]) {
    if target.is_empty() {
        return;
    }
    if layout.is_contiguous() {
        let start = layout.offset * size;
        target.copy_from_slice(&source[start..start + target.len()]);
        return;
    }
    match size {
        1 => rows::<1>(source, layout, target),
        4 => rows::<4>(source, layout, target),
        8 => rows::<8>(source, layout, target),
        _ => unreachable!("no dtype has {size} bytes"),
    }
}

/// Row by row along the last dimension of more than one element.
fn rows<const SIZE: usize>(source: &[u8], layout: &Layout, target: &mut [u8]) {
    let dims: Vec<(usize, isize)> = (0..layout.shape.rank())
        .filter(|&i| layout.shape[i] != 1)
        .map(|i| (layout.shape[i], layout.strides[i]))
        .collect();
    let (&(length, step), outer) = dims.split_last().unwrap_or((&(1, 1), &[]));
    let mut index = vec![0usize; outer.len()];
    let mut start = layout.offset as isize;
    for row in target.chunks_exact_mut(length * SIZE) {
        if step == 1 {
            let from = start as usize * SIZE;
            row.copy_from_slice(&source[from..from + length * SIZE]);
        } else {
            let mut at = start;
            for element in row.as_chunks_mut::<SIZE>().0 {
                let from = at as usize * SIZE;
                element.copy_from_slice(&source[from..from + SIZE]);
                at += step;
            }
        }
        for (i, &(size, stride)) in index.iter_mut().zip(outer).rev() {
            *i += 1;
            start += stride;
            if *i < size {
                break;
            }
            start -= stride * size as isize;
            *i = 0;
        }
    }
}
