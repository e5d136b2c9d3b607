//! Rooms of nodes: boxes that must not overlap, and components packed side by side.

/// A place on the page.
pub(super) type Place = (f64, f64);

/// Smallest distance between the rooms of two nodes.
const GAP: f64 = 14.0;
/// Smallest distance between two components.
const APART: f64 = 24.0;
/// Width of a packed picture in units of its height that is preferred.
const SHAPE: f64 = 1.5;

/// The room that a node needs around its centre: half of its width, and its height above and below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    /// Half of the width.
    pub(super) half: f64,
    /// Height above the centre.
    pub(super) up: f64,
    /// Height below the centre.
    pub(super) down: f64,
}

impl Room {
    /// The box of the room at `at`: left, top, right, bottom.
    pub(super) fn at(&self, at: Place) -> [f64; 4] {
        [at.0 - self.half, at.1 - self.up, at.0 + self.half, at.1 + self.down]
    }
}

/// Whether two boxes (left, top, right, bottom) overlap.
pub(super) fn overlap(a: [f64; 4], b: [f64; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// The box around all rooms; of size zero if there is none.
pub(super) fn extent(places: &[Place], rooms: &[Room]) -> [f64; 4] {
    let boxes = places.iter().zip(rooms).map(|(&at, room)| room.at(at));
    let join =
        |a: [f64; 4], b: [f64; 4]| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
    boxes.reduce(join).unwrap_or_default()
}

/// Moves overlapping rooms apart, until all are at least a gap from each other.
///
/// Pairs of overlapping rooms move in the direction in which the overlap is smaller, each by half of it. If
/// overlaps remain after fifty rounds, the whole layout grows by a twentieth: rooms whose centres differ
/// are apart in the end.
pub(super) fn separate(places: &mut [Place], rooms: &[Room]) {
    // No centre may lie on another one, or no growth could separate them.
    for (number, place) in places.iter_mut().enumerate() {
        let angle = 2.4 * number as f64;
        *place = (place.0 + 0.01 * angle.cos(), place.1 + 0.01 * angle.sin());
    }
    for _ in 0..200 {
        for _ in 0..50 {
            if !push(places, rooms) {
                return;
            }
        }
        for place in places.iter_mut() {
            *place = (1.05 * place.0, 1.05 * place.1);
        }
    }
}

/// One round of [`separate`]. Returns whether there was an overlap.
fn push(places: &mut [Place], rooms: &[Room]) -> bool {
    let mut moved = false;
    for i in 0..places.len() {
        for j in i + 1..places.len() {
            let (a, b) = (rooms[i].at(places[i]), rooms[j].at(places[j]));
            let wide = a[2].min(b[2]) - a[0].max(b[0]) + GAP;
            let high = a[3].min(b[3]) - a[1].max(b[1]) + GAP;
            // Shares below a thousandth of a pixel are rounding.
            if wide < 1e-3 || high < 1e-3 {
                continue;
            }
            moved = true;
            let (from, to) = (places[i], places[j]);
            if wide < high {
                let half = 0.5 * wide * if to.0 >= from.0 { 1.0 } else { -1.0 };
                places[i].0 -= half;
                places[j].0 += half;
            } else {
                let half = 0.5 * high * if b[1] + b[3] >= a[1] + a[3] { 1.0 } else { -1.0 };
                places[i].1 -= half;
                places[j].1 += half;
            }
        }
    }
    moved
}

/// Upper left corners of boxes of these `sizes` that stand side by side in rows.
///
/// The boxes stand in the order of decreasing height. Of several widths of the rows the function takes that
/// whose picture is smallest, with the preferred shape.
pub(super) fn pack(sizes: &[(f64, f64)]) -> Vec<Place> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| sizes[b].1.total_cmp(&sizes[a].1).then(a.cmp(&b)));
    let widest = sizes.iter().map(|size| size.0).fold(0.0, f64::max);
    let mut best: Option<(f64, Vec<Place>)> = None;
    for step in 0..=20 {
        let limit = widest * (1.0 + 0.15 * step as f64);
        let (corners, size) = shelves(sizes, &order, limit);
        // The side of a picture of the preferred shape into which this one fits.
        let side = size.0.max(SHAPE * size.1);
        if best.as_ref().is_none_or(|best| side < best.0 - 1e-6) {
            best = Some((side, corners));
        }
    }
    best.map(|best| best.1).unwrap_or_default()
}

/// Corners of boxes in rows of at most the width `limit`, and the size of the whole.
fn shelves(sizes: &[(f64, f64)], order: &[usize], limit: f64) -> (Vec<Place>, (f64, f64)) {
    let mut corners = vec![(0.0, 0.0); sizes.len()];
    let (mut x, mut y, mut row, mut width) = (0.0, 0.0, 0.0_f64, 0.0_f64);
    for &one in order {
        if x > 0.0 && x + sizes[one].0 > limit + 1e-9 {
            (x, y, row) = (0.0, y + row + APART, 0.0);
        }
        corners[one] = (x, y);
        width = width.max(x + sizes[one].0);
        row = row.max(sizes[one].1);
        x += sizes[one].0 + APART;
    }
    (corners, (width, y + row))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { half: 25.0, up: 8.0, down: 22.0 };

    #[test]
    fn rooms_are_apart_after_separation_even_if_all_begin_at_one_place() {
        for spread in [0.0, 3.0, 40.0] {
            let mut places: Vec<Place> =
                (0..30).map(|i| (spread * (i % 6) as f64, spread * (i / 6) as f64)).collect();
            let rooms = [ROOM; 30];
            separate(&mut places, &rooms);
            for i in 0..30 {
                for j in 0..i {
                    let boxes = [i, j].map(|k| rooms[k].at(places[k]));
                    assert!(!overlap(boxes[0], boxes[1]), "{spread}: {i} and {j}");
                }
            }
        }
        // Rooms that do not overlap stay, but for a hundredth of a pixel.
        let mut places = vec![(0.0, 0.0), (100.0, 0.0), (0.0, 60.0)];
        separate(&mut places, &[ROOM; 3]);
        assert!(places[1].0 > 99.9 && places[1].0 < 100.1 && places[2].1 < 60.1);
    }

    #[test]
    fn rooms_move_in_the_direction_of_the_smaller_overlap() {
        let mut places = vec![(0.0, 0.0), (45.0, 3.0)];
        separate(&mut places, &[ROOM; 2]);
        assert!((places[1].1 - places[0].1 - 3.0).abs() < 0.03, "{places:?}");
        assert!((places[1].0 - places[0].0 - 50.0 - GAP).abs() < 0.01, "{places:?}");
        let mut places = vec![(0.0, 0.0), (3.0, 25.0)];
        separate(&mut places, &[ROOM; 2]);
        assert!((places[1].0 - places[0].0 - 3.0).abs() < 0.03, "{places:?}");
        assert!((places[1].1 - places[0].1 - 30.0 - GAP).abs() < 0.01, "{places:?}");
    }

    #[test]
    fn packed_boxes_do_not_overlap_and_fill_the_page() {
        let sizes = [(300.0, 200.0), (90.0, 40.0), (80.0, 40.0), (90.0, 60.0), (80.0, 30.0)];
        let corners = pack(&sizes);
        let boxes: Vec<[f64; 4]> = corners
            .iter()
            .zip(sizes)
            .map(|(at, size)| [at.0, at.1, at.0 + size.0, at.1 + size.1])
            .collect();
        let size = [2, 3].map(|end| boxes.iter().map(|of| of[end]).fold(0.0, f64::max));
        for (i, a) in boxes.iter().enumerate() {
            assert!(boxes[..i].iter().all(|b| !overlap(*a, *b)), "{boxes:?}");
        }
        assert!(size[0] * size[1] < 2.0 * sizes.iter().map(|size| size.0 * size.1).sum::<f64>());
        assert!(pack(&[]).is_empty());
    }
}
