//! Linear indices over several loops, walked in runs along the innermost one.

/// The most coordinates of one operand that may need checking: convolutions over up to four dimensions.
pub(super) const MAX_CHECKS: usize = 4;

/// Coordinates that are checked against a dimension; unused ones are 0.
pub(super) type Coords = [isize; MAX_CHECKS];

/// One loop as one operand sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub size: usize,
    /// Elements by which a step of the loop moves.
    pub stride: isize,
    /// What a step adds to each checked coordinate.
    pub coords: Coords,
}

/// Where an index lies: element offset and checked coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: isize,
    pub coords: Coords,
}

impl Place {
    pub fn plus(&self, other: &Place) -> Place {
        Place { offset: self.offset + other.offset, coords: std::array::from_fn(|d| self.coords[d] + other.coords[d]) }
    }
}

/// A stretch of indices along which only the innermost axis moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where it starts in the range that is walked.
    pub start: usize,
    pub length: usize,
    pub place: Place,
}

/// Loops walked as one linear index, last fastest. Never empty; all sizes are at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axes(Vec<Axis>);

impl Axes {
    /// Merges neighbours that move as one.
    pub fn new(axes: impl IntoIterator<Item = Axis>) -> Axes {
        let mut merged: Vec<Axis> = Vec::new();
        for axis in axes {
            if axis.size == 1 {
                continue;
            }
            if let Some(outer) = merged.last_mut() {
                let size = axis.size as isize;
                if outer.stride == axis.stride * size
                    && (0..MAX_CHECKS).all(|d| outer.coords[d] == axis.coords[d] * size)
                {
                    *outer = Axis { size: outer.size * axis.size, ..axis };
                    continue;
                }
            }
            merged.push(axis);
        }
        if merged.is_empty() {
            merged.push(Axis { size: 1, stride: 1, coords: [0; MAX_CHECKS] });
        }
        Axes(merged)
    }

    pub fn all(&self) -> &[Axis] {
        &self.0
    }

    /// The one axis, where there are no others.
    pub fn only(&self) -> Option<&Axis> {
        if let [axis] = &self.0[..] { Some(axis) } else { None }
    }

    pub fn innermost(&self) -> &Axis {
        self.0.last().expect("never empty")
    }

    /// Where `index` lies.
    pub fn place(&self, index: usize) -> Place {
        let mut place = Place::default();
        let mut rest = index;
        for axis in self.0.iter().rev() {
            let i = (rest % axis.size) as isize;
            rest /= axis.size;
            place.offset += i * axis.stride;
            for (to, c) in place.coords.iter_mut().zip(axis.coords) {
                *to += i * c;
            }
        }
        place
    }

    /// Calls `visit` for each run of `start..start + length`.
    pub fn runs(&self, start: usize, length: usize, mut visit: impl FnMut(Run)) {
        let inner = self.innermost().size;
        let mut at = 0;
        while at < length {
            let index = start + at;
            let run = (inner - index % inner).min(length - at);
            visit(Run { start: at, length: run, place: self.place(index) });
            at += run;
        }
    }

    /// Appends the place of each index of `start..start + length`.
    pub fn places(&self, start: usize, length: usize, into: &mut Vec<Place>) {
        let axis = *self.innermost();
        self.runs(start, length, |run| {
            let mut place = run.place;
            for _ in 0..run.length {
                into.push(place);
                place.offset += axis.stride;
                for (to, c) in place.coords.iter_mut().zip(axis.coords) {
                    *to += c;
                }
            }
        });
    }

    /// Appends the offset of each index of `start..start + length`.
    pub fn offsets(&self, start: usize, length: usize, into: &mut Vec<isize>) {
        let stride = self.innermost().stride;
        self.runs(start, length, |run| {
            into.extend((0..run.length as isize).map(|i| run.place.offset + i * stride));
        });
    }
}
