// Which item (a tile) and which four channels an invocation works on: a group of eight takes the same four channels of
// eight items, and the grid covers exactly the items that are written.

struct Spot { item: u32, quad: u32 }

const LANES: u32 = 8u;

fn spot(group: vec3u, groups: vec3u, lane: u32, quads: u32) -> Spot { return Spot(group.y * 8u + lane, group.x); }

// A constant, so that no branch is left of it: on llvmpipe one would put every result through a mask.
fn beyond(item: u32, items: u32) -> bool { return false; }

